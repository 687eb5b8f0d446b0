"""How a file of rows is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from ...core.validated import Count, Validated
from ...core.validation import LARGEST_BATCH

#: Batches of a part. More of them are sorted by size with less padding; fewer are lost with a killed process.
_BATCHES, _BATCHES_WRITTEN = 16, 4


class Asking(Validated):
    """What an answer depends on, beside the model and the row.

    Attributes:
        top: answers to each row.
        batch_size: rows that the model gets at a time.
        part_rows: rows of a part, see :class:`~skiptune.predicting.files.part.Part`.
    """

    top: Count = 1
    batch_size: Annotated[int, Field(ge=1, le=LARGEST_BATCH)] = 32
    part_rows: Count = 512

    @classmethod
    def usual(cls, top: int, batch_size: int, writes: bool) -> Asking:
        """With parts of the usual length; ``writes``: the model writes its answers, which takes longer."""
        batches = _BATCHES_WRITTEN if writes else _BATCHES
        return cls(top=top, batch_size=batch_size, part_rows=batches * batch_size)


@dataclass(frozen=True)
class Preparing:
    """What answers do not depend on.

    Attributes:
        workers: threads that read and decode pictures while the model computes; 0: nothing is done meanwhile.
        kept_bytes: of decoded pictures that are kept for other rows of the part.
    """

    workers: int = 1
    kept_bytes: int = 128 * 2**20
