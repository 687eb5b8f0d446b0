"""Settings of the released DAS runs: fields of ``TrainConfig`` by family and by the task of a recipe.

``batch_size`` times ``gradient_accumulation`` is the released batch of a step. Other settings are our defaults:
ten epochs, weight decay 0.01, a warm-up of a tenth, then a linear fall. There is no released run of entailment; it
takes the settings of NLVR2, the other classifier with cross-entropy.
"""

from __future__ import annotations

from typing import TypedDict


class ReleasedTraining(TypedDict, total=False):
    """Fields of ``TrainConfig`` that a released run sets."""

    batch_size: int
    gradient_accumulation: int
    learning_rate: float
    learning_rate_factors: dict[str, float]


_VILT_NLVR2: ReleasedTraining = {"batch_size": 32, "gradient_accumulation": 4, "learning_rate": 5e-4}
VILT: dict[str, ReleasedTraining] = {
    "vqa": {
        "batch_size": 64,
        "gradient_accumulation": 4,
        "learning_rate": 1e-4,
        "learning_rate_factors": {"head": 10.0},
    },
    "reasoning": _VILT_NLVR2,
    "retrieval": {"batch_size": 8, "gradient_accumulation": 32, "learning_rate": 5e-4},
    "entailment": _VILT_NLVR2,
}

_FACTORS = {"block_adapters": 5.0, "skip_adapters": 5.0, "head": 10.0}
_METER_NLVR2: ReleasedTraining = {
    "batch_size": 16,
    "gradient_accumulation": 16,
    "learning_rate": 5e-5,
    "learning_rate_factors": _FACTORS,
}
METER: dict[str, ReleasedTraining] = {
    "vqa": {
        "batch_size": 16,
        "gradient_accumulation": 32,
        "learning_rate": 2.5e-5,
        "learning_rate_factors": {"block_adapters": 5.0, "head": 50.0},
    },
    "reasoning": _METER_NLVR2,
    "retrieval": {
        "batch_size": 4,
        "gradient_accumulation": 128,
        "learning_rate": 5e-5,
        "learning_rate_factors": _FACTORS,
    },
    "entailment": _METER_NLVR2,
}

#: There are no released runs of it; settings of METER, whose fusion layers it shares.
BRIDGETOWER = METER
