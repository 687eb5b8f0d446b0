"""CLIP as a model family (Radford et al., 2021): two towers, with the heads of tasks."""

from __future__ import annotations

from .heads import (
    ClipForImageAndTextRetrieval,
    ClipForQuestionAnswering,
    ClipForVisualEntailment,
    ClipForVisualReasoning,
)

__all__ = [
    "ClipForImageAndTextRetrieval",
    "ClipForQuestionAnswering",
    "ClipForVisualEntailment",
    "ClipForVisualReasoning",
]
