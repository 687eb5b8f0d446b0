"""What may change in the recipe of a run that has begun, and what is then done again.

| changed | done again |
|---|---|
| ``output``, ``compare``, ``train.save_steps``, ``workers``, ``report_to``, ``gradient_checkpointing`` | nothing |
| ``baselines`` | those that are new |
| ``bench`` | the timing |
| ``export`` | the checkpoint that it asks for, if it is not there |
| ``train.epochs``, ``max_steps``: more steps | the training goes on; evaluation, export, timing, baselines |
| with them: ``eval_steps``, ``load_best``, ``best_by``, ``early_stopping`` | nothing else |

The report is written again in any case. Whatever else has changed is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..config import TrainConfig
from ..core.digests import write_recorded_json
from ..core.errors import InputError
from ..training.schedule import optimizer_steps
from .recipe import Recipe

#: The recipe in a run's directory.
RECIPE = "recipe.json"
_FREE = frozenset(
    ("output", "baselines", "train.save_steps", "train.workers", "train.report_to", "train.gradient_checkpointing")
)
_LONGER = frozenset(("train.epochs", "train.max_steps"))
_WITH_LONGER = frozenset(f"train.{name}" for name in ("eval_steps", "load_best", "best_by", "early_stopping"))
#: Sections that may change as a whole.
_FREE_SECTIONS, _TIMED = ("compare", "export"), "bench"


@dataclass(frozen=True)
class RunChanges:
    """Fields of a run's recipe whose change waits until what depends on them is done again.

    Attributes:
        fields: such as ``bench.repeats``.
        steps_before: that the training had.
    """

    fields: frozenset[str] = frozenset()
    steps_before: int = 0

    @property
    def longer(self) -> bool:
        """Whether a finished training goes on."""
        return bool(self.fields & _LONGER)

    @property
    def timing(self) -> bool:
        """Whether the models are timed again."""
        return any(name.startswith(f"{_TIMED}.") for name in self.fields)


def changed_fields(found: Recipe, wanted: Recipe) -> frozenset[str]:
    """Names of the fields of two recipes that differ, as ``train.epochs``; of a section that one of them lacks, its
    own."""
    names: list[str] = []
    ours, theirs = found.to_dict(), wanted.to_dict()
    for section, one in ours.items():
        other = theirs[section]
        if isinstance(one, dict) and isinstance(other, dict):
            differing = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
            names += [f"{section}.{name}" for name in differing]
        elif one != other:
            names.append(section)
    return frozenset(names)


def refuse_other(folder: Path, wanted: Recipe, found: Recipe) -> None:
    """Refuse the recipe ``wanted`` where ``folder`` holds a run of the recipe ``found`` and cannot go on with it.

    Raises:
        InputError: names the fields.
    """
    names = changed_fields(found, wanted)
    longer = bool(names & _LONGER) and (folder / "plan.json").is_file()
    _refuse(folder, [name for name in names if not _may_change(name, longer)])


def _refuse(folder: Path, names: Iterable[str]) -> None:
    """Raise the error for fields, if there are any, that may not change."""
    if found := sorted(names):
        raise InputError(
            f"output: {folder} holds a run with another {', '.join(found)}; "
            "name another output, or remove that directory"
        )


def _may_change(name: str, longer: bool) -> bool:
    if name in _LONGER | _WITH_LONGER:
        return longer
    return name in _FREE or name.partition(".")[0] in (*_FREE_SECTIONS, _TIMED)


def settle(folder: Path, wanted: Recipe, found: Recipe, rows: int) -> RunChanges:
    """Write what may change at once to the run's recipe; returns the changes that wait.

    Args:
        folder: of the run, which may go on with ``wanted``.
        wanted: the recipe now.
        found: that of the run.
        rows: training records.

    Raises:
        InputError: the training would be shorter than it was, or as long with other evaluations.
    """
    names = {name for name in changed_fields(found, wanted) if _may_change(name, longer=True)}
    length = {"epochs": found.train.epochs, "max_steps": found.train.max_steps}
    after = whole_steps(wanted.train, rows)
    before = whole_steps(wanted.train.replace(**length), rows)  # the batch may be split up another way now
    if names & _LONGER and after < before:
        field = "epochs" if wanted.train.max_steps is None else "max_steps"
        raise InputError(
            f"train.{field}: {after} steps are fewer than the {before} of the run in {folder}; take as many or more, "
            f"--set train.max_steps={before}, or name another output"
        )
    if after == before:
        _refuse(folder, names & _WITH_LONGER)
    waiting = {name for name in names if _waits(folder, name) and (name not in _LONGER or after > before)}
    keep_changes(folder, wanted, found, names - waiting - {"output"})  # a run may be moved
    return RunChanges(frozenset(waiting), before)


def _waits(folder: Path, name: str) -> bool:
    """Whether a field's value is that of results which are there."""
    if name in _LONGER | _WITH_LONGER:
        return (folder / "trained.safetensors").is_file()
    return name.startswith(f"{_TIMED}.") and (folder / "latency.json").is_file()


def keep_changes(folder: Path, wanted: Recipe, found: Recipe, names: Iterable[str]) -> None:
    """Write the run's recipe ``found`` with the fields ``names`` of the recipe ``wanted``."""
    values, other = found.to_dict(), wanted.to_dict()
    for name in names:
        section, _, field = name.partition(".")
        if field:
            values[section][field] = other[section][field]
        else:
            values[section] = other[section]
    if values != found.to_dict():
        write_recorded_json(folder / RECIPE, Recipe.from_dict(values).to_dict())


def whole_steps(training: TrainConfig, rows: int) -> int:
    """Optimizer steps of a training on ``rows`` records."""
    return optimizer_steps(training, rows, training.epochs, training.max_steps)


def has_work(folder: Path) -> bool:
    """Whether a run has done anything yet that depends on its recipe."""
    done = ("plan.json", "trained.safetensors", "adapter_start.json", "baselines/*", "compare/*")
    return any(next(folder.glob(pattern), None) for pattern in (*done, "checkpoints/*/checkpoint-*"))
