"""Settings of the released DAS runs by family and by the task of a recipe, read from the authors' code and scripts.

All of them have AdamW with betas (0.9, 0.98), weight decay 0.01 by name, ten epochs, a warm-up of a tenth, a linear
fall to zero, no clipping of gradients, and RandAugment(2, 9) of the training images. There is no released run of
entailment, classification or regression; they take the settings of NLVR2, the released classifier with cross-entropy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Released:
    """The settings of a released run.

    Attributes:
        learning_rate: the base rate.
        batch_size: examples of a micro-batch on each GPU.
        examples_a_step: of an optimizer step, over all GPUs and micro-batches.
        image_size: side of the images in pixels, the shorter one for ViLT.
        text_length: tokens at which texts are cut.
        factors: of the base rate, by group of parameters; 1 for the others, as for skip adapters, token types, the
            start token and the rank head.
    """

    learning_rate: float
    batch_size: int
    examples_a_step: int
    image_size: int
    text_length: int
    factors: dict[str, float] = field(default_factory=dict)

    def training(self, batch_size: int | None, processes: int) -> dict[str, Any]:
        """Fields of ``TrainConfig``, for a number of processes.

        As many micro-batches are accumulated as make up ``examples_a_step``, or the next smaller number of examples.
        ``batch_size`` is that of the recipe, if it has one.
        """
        batch = batch_size or self.batch_size
        return {
            "epochs": 10,
            "batch_size": batch,
            "gradient_accumulation": max(1, self.examples_a_step // (batch * processes)),
            "learning_rate": self.learning_rate,
            "learning_rate_factors": self.factors,
            "weight_decay": 0.01,
            "decayed": "paper",
            "warmup_ratio": 0.1,
            "max_grad_norm": 0,
            "augment": {"n": 2, "m": 9},
        }


_VILT_NLVR2 = Released(5e-4, 64, 128, image_size=384, text_length=40)
VILT = {
    "vqa": Released(1e-4, 64, 256, image_size=384, text_length=40, factors={"head": 10.0}),
    "reasoning": _VILT_NLVR2,
    "retrieval": Released(5e-4, 4, 256, image_size=384, text_length=40),
    "entailment": _VILT_NLVR2,
    "classification": _VILT_NLVR2,
    "regression": _VILT_NLVR2,
}

_FACTORS = {"block_adapters": 5.0, "poolers": 5.0}
_METER_NLVR2 = Released(5e-5, 32, 256, image_size=288, text_length=50, factors={**_FACTORS, "head": 10.0})
METER = {
    "vqa": Released(2.5e-5, 32, 512, image_size=384, text_length=50, factors={**_FACTORS, "head": 50.0}),
    "reasoning": _METER_NLVR2,
    "retrieval": Released(5e-5, 2, 512, image_size=384, text_length=40, factors=_FACTORS),
    "entailment": _METER_NLVR2,
    "classification": _METER_NLVR2,
    "regression": _METER_NLVR2,
}

#: There are no released runs of it; settings of METER, whose fusion layers it shares.
BRIDGETOWER = METER
