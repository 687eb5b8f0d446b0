"""Sizes of ``llava-scenes`` and of its training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChatConfig:
    """Sizes of the model and of its training.

    Attributes:
        width, heads: of the image tower and of the language model.
        layers, mlp_width: of the language model.
        tower_blocks, tower_mlp_width: of the image tower; the blocks are the first of ``vilt-scenes``.
        image_size, patch_size: in pixels.
        length: tokens of a conversation at most, with those of its image.
        minutes: total training time; the learning rates and the lessons follow it.
        batch_size: scenes a step.
        asked, row: questions drawn on a scene; as many stand in its row as fit into ``row`` tokens.
        apart: share of the steps in which the questions on a scene do not see each other.
        scenes: different scenes a lesson.
        heldout: scenes that are only measured on, with one question of every kind.
        learning_rate, tower_rate: highest learning rates of the language model and of the image tower.
        warmup: fraction of the time in which learning rates rise.
        save_minutes: minutes between checkpoints.
    """

    width: int = 128
    heads: int = 4
    layers: int = 12
    mlp_width: int = 320
    tower_blocks: int = 6
    tower_mlp_width: int = 512
    image_size: int = 72
    patch_size: int = 12
    length: int = 512
    minutes: float = 75.0
    batch_size: int = 32
    asked: int = 10
    row: int = 128
    apart: float = 0.7
    scenes: int = 40_000
    heldout: int = 400
    learning_rate: float = 1.5e-3
    tower_rate: float = 5e-4
    weight_decay: float = 0.05
    warmup: float = 0.02
    save_minutes: float = 5.0
    seed: int = 0

    @property
    def image_tokens(self) -> int:
        """Tokens of an image."""
        return (self.image_size // self.patch_size) ** 2
