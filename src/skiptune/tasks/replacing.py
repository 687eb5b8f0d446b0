"""Images that cannot be read during an evaluation, a search or a training in Python; a run has a log of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..core.progress import console
from ..data.damaged import Damaged
from ..data.held_pictures import Held
from ..data.pictures import Stored
from ..data.record import Record
from .task import Task

#: Name of the log of damaged images beside checkpoints.
DAMAGED_LOG = "bad-images.log"


@contextmanager
def replacing_damaged(
    task: Task, *parts: Sequence[Record], most_bad: float | None = None, log: Path | None = None
) -> Iterator[tuple[Task, Damaged | None]]:
    """Context with the task, and what it reports damaged images to, which are printed at the end.

    The task of a run reports already: it is given as it is, with ``None``.

    Args:
        task: the task.
        parts: the records that it is used with.
        most_bad, log: see :class:`~skiptune.data.damaged.Damaged`; a log only if there are several processes.
    """
    if task.images.damaged is not None:
        yield task, None
        return
    damaged = Damaged(sum(map(_count_images, parts)), most_bad, log)
    yield task.reporting(damaged), damaged
    problems = damaged.problems()
    if problems:
        console.print(f"images that cannot be read, replaced by the mean colour: {len(problems)}")
    for problem in problems:
        console.print(f"  {problem}", markup=False, highlight=False, soft_wrap=True)


def _count_images(records: Sequence[Record]) -> int:
    """The number of different images."""
    from ..data.records import Records  # imports Arrow, which a prediction does without

    if isinstance(records, Records):
        return len(records.pictures())
    pictures = (picture for record in records for picture in record.images)
    return len({picture if isinstance(picture, Path | Stored | Held) else id(picture) for picture in pictures})
