"""Visual reasoning: is a statement true of two images (NLVR2), or of one (NLVR)?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..core.errors import InputError
from ..data.record import Record
from ..families.registry import family_of_processor
from .choice import Labelled
from .task import Check, ConfigFields, refuse_unless
from .task_settings import TaskSettings

if TYPE_CHECKING:
    from ..data.readers.collecting import RowChecks

#: NLVR2's split-set-pair-sentence, and NLVR's split-set-sample-drawing.
_IDENTIFIER = re.compile(r"([a-z]+\d?-\d+)-\d+-(\d+)")


class Reasoning(Labelled):
    """Statements about ``images`` images each, cross-entropy over false and true.

    Two images go through the model one after the other, each with the statement, and the two pooled outputs are
    classified together, as in the released code.
    """

    name = "reasoning"
    unit = "statements"
    choices = ("false", "true")

    def __init__(self, processor: Any, images: int = 2) -> None:
        if images not in (1, 2):
            raise InputError(f"images: {images}; statements are about 1 or 2 images")
        super().__init__(processor)
        self.number = images

    @classmethod
    def from_checked(cls, processor: Any, records: Sequence[Record], least: int = 1, **options: Any) -> Reasoning:
        """As many images as the first record has.

        Raises:
            InputError: there is none.
        """
        if not records:
            raise InputError("records: there are none to tell the number of images")
        return cls(processor, len(records[0].images))

    @classmethod
    def checker(cls, images: int | None = None) -> Check:
        """Every record has ``images`` images; ``None``: as many as the first one."""
        labelled = super().checker()
        first = [] if images is None else [images]
        why = ", as the first one has" if images is None else ", as the model takes"

        def check(record: Record) -> None:
            labelled(record)
            first.extend([len(record.images)][len(first) :])
            refuse_unless(len(record.images) == first[0], cls.name, f"{first[0]} image(s){why}")

        return check

    def own_row_checks(self) -> RowChecks:
        return {**super().own_row_checks(), "accept": self.checker(self.number)}

    @property
    def head(self) -> str:
        return "reasoning" if self.number == 2 else "entailment"

    def settings(self) -> TaskSettings:
        return {"images": self.number}

    def model_changes(self) -> ConfigFields:
        pairs = family_of_processor(self.processor).pair_config if self.number == 2 else {}
        return {**super().model_changes(), **pairs}

    def pixels(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Pixels of one image as in other tasks, or of two, ``(batch, 2, …)``."""
        if any(len(record.images) != self.number for record in records):
            raise InputError(f"image2: this model judges statements about {self.number} image(s)")
        found = self.images.of(records, self.number)
        if self.number == 1:
            return found
        return {name: value.view(len(records), self.number, *value.shape[1:]) for name, value in found.items()}

    def metrics(self, records: Sequence[Record], scores: Sequence[float]) -> dict[str, float]:
        """Accuracy, and consistency: the share of statements that are classified correctly for all their images.

        Which records are about one statement is read off the published identifiers, as in the official evaluation. In
        other data they are those of the same text.
        """
        right: dict[tuple[str, ...], bool] = defaultdict(lambda: True)
        for record, score in zip(records, scores, strict=True):
            right[self._statement(record)] &= score == 1.0
        return {**super().metrics(records, scores), "consistency": sum(right.values()) / len(right)}

    def _statement(self, record: Record) -> tuple[str, ...]:
        """What tells a statement from others: NLVR2's identifier without the pair, NLVR's set, or else the text."""
        found = _IDENTIFIER.fullmatch(record.id)
        if found is None:
            return ("", record.text)
        return found.groups() if self.number == 2 else (found[1],)
