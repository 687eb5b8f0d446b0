"""How long and how fast to train, by how much data there is and how large the model is."""

from __future__ import annotations

import math
from typing import Any

#: Examples that a training sees at least: few rows are seen more often.
_EXAMPLES = 6400
_USUAL_EPOCHS, _MOST_EPOCHS = 10, 40
#: Parameters above which a model is fine-tuned with the small learning rates of large ones.
_LARGE = 30_000_000


def training_plan(rows: int, parameters: int) -> dict[str, Any]:
    """The fields of a recipe's section ``train``, for so many ``rows`` to train on and so large a model."""
    epochs = max(_USUAL_EPOCHS, min(_MOST_EPOCHS, math.ceil(_EXAMPLES / rows)))
    found: dict[str, Any] = {"epochs": epochs, "batch_size": 32 if rows >= 128 else 16 if rows >= 64 else 8}
    if parameters > _LARGE:
        return {**found, "learning_rate": 1e-4, "learning_rate_factors": {"head": 10}}
    return {**found, "learning_rate": 1e-3}
