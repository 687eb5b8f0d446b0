"""The part of an export's ``extra`` that a model card shows."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from ..core.measurements import Latency, MeasuredParts
from ..core.validated import Number, Pair, Several, Validated


class Measures(Validated):
    """Measurements of a slim model. The card ignores other values beside these.

    Attributes:
        data: the training data, a recipe's ``data.name``.
        seed: of the training.
        accuracy: measures on the parts of the data.
        compared_on: the part on which the search compared subnetworks, so that its measures are likely too good;
            ``None``: it compared none.
        seen: SHA-256 of the files of training and validation, with the part, as far as known.
        baselines: the same of models trained beside it with the same settings, by name.
        priors: the same of rules that see no image, by name.
        latency: the content of a run's ``latency.json``, without the seconds of every round.
        image_size: (height, width) in pixels that the latency was taken at.
        nested_losses: of one training for every number of skipped blocks (:class:`skiptune.plan.Nested`): the held-out
            loss with 0, 1, … of them skipped.
    """

    model_config = ConfigDict(extra="allow")

    data: str | None = None
    seed: int | None = None
    accuracy: MeasuredParts = MeasuredParts()
    compared_on: str | None = None
    seen: dict[str, str] = Field(default={})
    baselines: dict[str, MeasuredParts] = Field(default={})
    priors: dict[str, MeasuredParts] = Field(default={})
    latency: Latency | None = None
    image_size: Pair[int] | None = None
    nested_losses: Several[Number] = ()

    def to_dict(self) -> dict[str, Any]:
        """The known values, as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)
