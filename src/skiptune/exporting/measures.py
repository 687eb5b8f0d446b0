"""What a model card knows of the ``extra`` of an export."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from ..core.measurements import Latency, MeasuredParts
from ..core.validated import Pair, Validated


class Measures(Validated):
    """What was measured of a slim model. Other values may stand beside these; the card does not tell of them.

    Attributes:
        data: what it was trained on, a recipe's ``data.name``.
        seed: of the training.
        accuracy: measures on the parts of the data.
        baselines: the same of models trained beside it with the same settings, by name.
        latency: what a run's ``latency.json`` holds.
        image_size: (height, width) in pixels that the latency was taken at.
    """

    model_config = ConfigDict(extra="allow")

    data: str | None = None
    seed: int | None = None
    accuracy: MeasuredParts = MeasuredParts()
    baselines: dict[str, MeasuredParts] = Field(default={})
    latency: Latency | None = None
    image_size: Pair[int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """What is known, as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)
