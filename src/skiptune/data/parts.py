"""The data of a run: where its parts are read from, and the three parts themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InputError
from ..core.progress import busy
from .data_config import EMBEDDED_SET, PARTS, DataConfig
from .readers.arrow import released_vocabulary
from .readers.collecting import RowChecks
from .readers.easy_vqa import read_easy_vqa
from .readers.formats import SOURCES
from .readers.row_to_record import GENERATION
from .record import Record
from .records import Records
from .splits import count_images, split_by_image

#: Fewest images of the reserved part, and of what it leaves of validation.
LEAST_RESERVED = 10
#: The test part does not depend on the run's seed, so that runs with different seeds can be compared.
_TEST_SEED = 0


@dataclass
class Data:
    """The parts, the problems of rows that were left out, and where the answer vocabulary comes from.

    Attributes:
        train, validation, test: the parts; ``test`` may be empty.
        bad_rows: problems of bad rows, by part.
        counted: the parts whose answers are counted for a vocabulary.
        answers: the answers in the order of the labels that the files carry; empty if they carry none.
        reserved: without a test part, what of validation the search never sees, see
            :attr:`DataConfig.reserved_share`; may be empty.
        unlabelled: how many rows were left out because the set gives them no label, by part.
    """

    train: Sequence[Record]
    validation: Sequence[Record]
    test: Sequence[Record]
    bad_rows: dict[str, list[str]]
    counted: tuple[Sequence[Record], ...]
    answers: tuple[str, ...] = ()
    reserved: Sequence[Record] = ()
    unlabelled: dict[str, int] = field(default_factory=dict)

    @property
    def held_out(self) -> dict[str, Sequence[Record]]:
        """The parts that are not trained on and have records, by name; the one to report is the last."""
        parts = {"validation": self.validation, "reserved": self.reserved, "test": self.test}
        return {name: records for name, records in parts.items() if records}

    @property
    def reported(self) -> str:
        """The name of the part whose number is to be reported."""
        return list(self.held_out)[-1]


@busy("reading")
def read_parts(
    config: DataConfig, seed: int, log: Path | None = None, row_checks: Callable[[], RowChecks] | None = None
) -> Data:
    """Read and split the data of a run; bad rows are reported in ``bad_rows``, the rest is used.

    Args:
        config: what to read.
        seed: of the validation part and of what ``max_train`` and ``max_validation`` draw; the test part, and what of
            validation is reserved, do not depend on it.
        log: folder for files that name every bad row.
        row_checks: gives how readers tell rows of the task, anew for every part; ``None``: rows of all tasks are read.

    Raises:
        InputError: files are missing, a part is empty, or too many rows are bad.
    """
    parts = ((part, read_part(config, part, log, row_checks)) for part in PARTS)
    return cut_parts(config, seed, {part: records for part, records in parts if records is not None})


def read_part(
    config: DataConfig, part: str, log: Path | None = None, row_checks: Callable[[], RowChecks] | None = None
) -> Records | None:
    """The records in the files of one part, see :func:`read_parts`; ``None``: it has none of its own."""
    if config.name == EMBEDDED_SET:
        return None if part == "validation" else read_easy_vqa(part)
    files = config.files(part, log)
    if files is None:
        return None
    of_task: RowChecks = row_checks() if row_checks is not None else {}
    return SOURCES[config.name].read(replace(files, of_task=of_task))


def cut_parts(config: DataConfig, seed: int, found: dict[str, Records]) -> Data:
    """The parts of a run, some of which are cut from what the files of others hold, see :func:`read_parts`.

    Args:
        config: what was read.
        seed: of the draws.
        found: the records in the files, by part.

    Raises:
        InputError: a part would be empty.
    """
    parts = dict(found)
    if config.test_share is not None:
        parts["train"], parts["test"] = split_by_image(parts["train"], config.test_share, _TEST_SEED, "test")
    if "validation" not in parts:
        parts["train"], parts["validation"] = split_by_image(parts["train"], config.validation_share, seed)
    for part, records in parts.items():
        most = getattr(config, f"max_{part}")
        if most is not None and most < len(records):
            draw = np.random.default_rng(_TEST_SEED if part == "test" else seed)
            parts[part] = records.select(np.sort(draw.permutation(len(records))[:most]))
    both = config.name == "vqav2" and "validation" in found
    counted = (parts["train"], parts["validation"]) if both else (parts["train"],)
    if "test" not in parts and config.reserved_share is not None:
        parts["validation"], parts["reserved"] = _reserved(parts["validation"], config.reserved_share)
    bad = {part: records.bad for part, records in found.items()}
    return Data(
        parts["train"],
        parts["validation"],
        parts.get("test", []),
        bad,
        counted,
        tuple(_released_answers(config)),
        parts.get("reserved", ()),
        {part: records.unlabelled for part, records in found.items() if records.unlabelled},
    )


def _reserved(validation: Records, share: float) -> tuple[Records, Records]:
    """Validation without the reserved part, and that part; it is empty where there are too few images."""
    images = count_images(validation)
    kept = round(share * images)
    if min(kept, images - kept) < LEAST_RESERVED:
        return validation, validation.select(np.arange(0))
    return split_by_image(validation, share, _TEST_SEED, "reserved")


def _released_answers(config: DataConfig) -> list[str]:
    """The answers that labels in tables of questions stand for. Those of the test part do not count: it is used only
    for testing."""
    if config.name != "arrow":
        return []
    files = (config.files(part, None) for part in ("train", "validation"))
    return released_vocabulary([path for part in files if part is not None for path in part.path])


def read_for_evaluation(
    name: str,
    path: str,
    fields: dict[str, Any],
    row_checks: RowChecks | None = None,
    log: Path | None = None,
    asked: bool = False,
) -> Records:
    """The records of one file, for ``skiptune evaluate``. Of rows for generation those without answers are no bad ones.

    Args:
        name: of the format, or the embedded set.
        path: the file.
        fields: of the section ``data`` of recipes, beside these.
        row_checks: how the reader tells rows of the task; ``None``: rows of all tasks are read.
        log: folder for a file that names every bad row.
        asked: the model is only asked about them: no row needs an answer.

    Raises:
        InputError: an unknown format, a field it lacks, or a file that cannot be read.
    """
    given = {entry: value for entry, value in fields.items() if value is not None}
    if name == EMBEDDED_SET:
        DataConfig(name=name, **given)
        return read_easy_vqa("test")
    files = DataConfig.from_dict({"name": name, "train": path, **given}).files("train", log)
    if files is None:
        raise InputError(f"{name}: nothing to read")
    checks: RowChecks = row_checks or {}
    required = not asked and checks.get("task") != GENERATION
    return SOURCES[name].read(replace(files, of_task=checks, require_answers=required))
