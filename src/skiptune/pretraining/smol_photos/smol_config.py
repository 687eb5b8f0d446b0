"""Sizes of ``smol-photos`` and of its training."""

from __future__ import annotations

from dataclasses import dataclass

#: What LoRA stands beside in every block of SmolLM2. Beside all of its linear layers, a step takes half as long again.
LINEAR = ("q_proj", "v_proj", "down_proj")


@dataclass(frozen=True)
class SmolConfig:
    """Sizes of what is learnt, and its training.

    Attributes:
        lora_rank, lora_alpha: of the adapters that are merged into SmolLM2 when the model is put together.
        batch_size: photographs in a step, each with all its captions.
        minutes: total training time, of a processor core; the learning rates follow it, and there are as many steps as
            fit.
        projector_rate, lora_rate: highest learning rates.
        warmup: fraction of the time in which they rise.
        save_minutes: minutes between checkpoints.
        heldout, measured: held-out photographs that are measured on while it trains, and at its end.
    """

    lora_rank: int = 16
    lora_alpha: int = 32
    batch_size: int = 4
    minutes: float = 17.0
    projector_rate: float = 1e-3
    lora_rate: float = 5e-4
    warmup: float = 0.03
    save_minutes: float = 2.0
    heldout: int = 64
    measured: int = 200
    seed: int = 0
