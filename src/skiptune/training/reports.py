"""Where a training's reports go."""

from __future__ import annotations

from pathlib import Path

from transformers import Trainer
from transformers.integrations import TensorBoardCallback

#: Directory beside that of the checkpoints, which is removed when a run has trained.
TENSORBOARD = "tensorboard"


def keep_reports(trainer: Trainer, checkpoints: Path) -> None:
    """Let TensorBoard's files stay when ``checkpoints`` are removed, unless the environment says where they go
    (``TENSORBOARD_LOGGING_DIR``)."""
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(checkpoints.parent / TENSORBOARD / checkpoints.name)
