"""What a run was given, kept in ``inputs.json``: digests of the model's files, of the data's and of every part's
records, and the task with its answers. A run goes on with the same only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from ..core.digests import check_recorded, is_recorded, write_recorded_json
from ..core.errors import InputError
from ..core.files import file_sha256
from ..core.progress import busy
from ..core.text_files import read_json
from ..core.validated import Validated
from ..core.validation import Problems
from ..data.data_config import PARTS, DataConfig
from ..data.parts import Data
from ..data.record_digests import digests_of
from ..data.records import Records
from ..exporting.manifest import SavedTask
from ..models.model_files import model_digests
from ..tasks.task import Task
from .recipe import Recipe

INPUTS = "inputs.json"
#: Bytes above which a file's own digest is not taken; those of its records always are.
_LARGE = 2**30
#: Endings of the files of a directory that holds records.
_READ = (".json", ".jsonl", ".arrow", ".parquet")


@dataclass(frozen=True)
class Than:
    """How a message names what the inputs are compared with: ``changed since the run began``, ``36 when the run
    began``."""

    since: str
    then: str


BEGAN = Than("since the run began", "when the run began")


class PartRecords(Validated):
    """The records of a part.

    Attributes:
        source: the file they are from.
        count: of records.
        digests: SHA-256 by aspect, see :func:`skiptune.data.record_digests.digests_of`.
    """

    source: str = ""
    count: int = Field(default=0, ge=0)
    digests: dict[str, str] = Field(default={})


class RunInputs(Validated):
    """The content of ``inputs.json``.

    Attributes:
        model: SHA-256 of the files of the pre-trained model by name.
        files: SHA-256 of the files of the data by path.
        parts: the records of each part, as they were split.
        task: with its answers.
    """

    model: dict[str, str]
    files: dict[str, str]
    parts: dict[str, PartRecords]
    task: SavedTask

    def refuse_other(self, now: RunInputs, recipe: Recipe) -> None:
        """Refuse to go on with other data or another model.

        Raises:
            InputError: names every file and what has changed.
        """
        problems = Problems(
            f"output: {recipe.output} holds a run with other data or another model; "
            "put back what has changed, or name another output"
        )
        for line in self.differences(now, recipe):
            problems.add(line)
        problems.raise_any()

    def differences(self, now: RunInputs, recipe: Recipe, than: Than = BEGAN) -> Iterator[str]:
        """What is other in ``now``, a line each; ``than`` says what these inputs are."""
        records = list(self._other_records(now, than))
        files = self._other_files(now, than) if records else ()  # one that says the same in other words is no other
        yield from (*self._other_model(now.model, recipe, than), *records, *files, *self._other_task(now, than))

    def refuse_other_model(self, recipe: Recipe) -> None:
        """Refuse to go on with another model where the data are not needed.

        Raises:
            InputError: names every file that has changed.
        """
        problems = Problems(f"{recipe.model}: not the model that {recipe.output} was trained on; put it back")
        for line in self._other_model(model_digests(recipe.model), recipe, BEGAN):
            problems.add(line)
        problems.raise_any()

    def _other_model(self, now: dict[str, str], recipe: Recipe, than: Than) -> Iterator[str]:
        for name, what in _differences(self.model, now):
            yield f"{recipe.model}: {name} is {what} {than.since}"

    def _other_files(self, now: RunInputs, than: Than) -> Iterator[str]:
        for path, what in _differences(self.files, now.files):
            yield f"{path} is {what} {than.since}"

    def _other_records(self, now: RunInputs, than: Than) -> Iterator[str]:
        for part in sorted(self.parts.keys() | now.parts.keys()):
            old, new = self.parts.get(part, PartRecords()), now.parts.get(part, PartRecords())
            changed = [name for name, digest in new.digests.items() if old.digests.get(name) != digest]
            if old.count != new.count:
                yield f"{new.source or old.source}: {new.count} {part} records; {old.count} {than.then}"
            elif changed:
                yield f"{new.source}: {part} records with other {', '.join(changed)} than {than.then}"

    def _other_task(self, now: RunInputs, than: Than) -> Iterator[str]:
        old, new = (list(inputs.task.settings.get("answers", ())) for inputs in (self, now))
        if old != new:
            gone, come = ([name for name in a if name not in set(b)][:5] for a, b in ((old, new), (new, old)))
            yield f"the answers are others: {come or 'none'} are new, {gone or 'none'} are gone; or their order changed"
        elif self.task != now.task:
            yield f"the task is another: {now.task.to_dict()}; {than.then} {self.task.to_dict()}"


def _differences(before: dict[str, str], now: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The names with another digest, and how they differ."""
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield name, "new" if name not in before else "gone" if name not in now else "changed (SHA-256)"


@busy("digests")
def inputs_of(recipe: Recipe, data: Data, task: Task) -> RunInputs:
    """What a run of ``recipe`` is given now."""
    parts = {"train": data.train, **data.held_out}
    return RunInputs(
        model=model_digests(recipe.model),
        files={str(path): file_sha256(path) for path in _files(recipe.data)},
        parts={
            part: PartRecords(source=Records.of(records).source, count=len(records), digests=digests_of(records))
            for part, records in parts.items()
        },
        task=SavedTask.from_dict({"name": task.name, **task.settings()}),
    )


def read_inputs(folder: Path) -> RunInputs | None:
    """What a run was given when it began; ``None``: it was begun by a version up to 0.3, which did not keep it.

    Raises:
        InputError: edited, damaged or removed file.
    """
    path = folder / INPUTS
    if not path.is_file():
        if is_recorded(path):
            raise InputError(f"{path}: was written and is gone; put it back, or name another output")
        return None
    found = RunInputs.from_dict(read_json(path), f"{path}: not the inputs of a run; edited?")
    check_recorded(path, "Put it back, or name another output.")
    return found


def keep_inputs(folder: Path, inputs: RunInputs) -> None:
    """Write ``inputs.json``, whole or not at all."""
    write_recorded_json(folder / INPUTS, inputs.to_dict())


def _files(config: DataConfig) -> Iterator[Path]:
    """The files of the data, each once; of a directory those that hold records."""
    found: dict[Path, None] = {}
    for part in PARTS:
        files = None if config.train is None else config.files(part, None)
        for name in () if files is None else (*files.path, files.annotations):
            path = Path(name or "")
            inside = sorted(path.rglob("*")) if name and path.is_dir() else [path]
            found.update(dict.fromkeys(one for one in inside if one == path or one.suffix in _READ))
    return (path for path in found if path.is_file() and path.stat().st_size <= _LARGE)
