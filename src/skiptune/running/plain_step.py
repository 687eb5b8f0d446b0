"""The plain checkpoint of a run, beside its slim model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transformers import PreTrainedModel

from ..exporting.export import export
from ..exporting.measures import Measures
from ..exporting.plain.record import is_plain, read_record
from ..plan import Plan
from ..tasks.task import Task

#: In a run's directory.
PLAIN = "plain"


def export_plain(
    folder: Path, trained: Callable[[], tuple[PreTrainedModel, Plan, Task]], measured: Callable[[], Measures]
) -> None:
    """Write it to the run's directory ``folder``, if it is not there.

    Args:
        folder: of the run.
        trained: gives the trained model, its plan and its task.
        measured: gives what was measured, for the card.

    Raises:
        InputError: one is there, and it is not as it was exported; or the model cannot be plain.
    """
    target = folder / PLAIN
    if is_plain(target):
        read_record(target).check_files(target, verify=True)
        return
    model, plan, task = trained()
    export(model, target, plan, task, "plain", extra=measured().to_dict())
