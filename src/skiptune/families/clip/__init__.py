"""CLIP as a model family (Radford et al., 2021): two towers, with the heads of tasks."""

from __future__ import annotations

from .heads import (
    ClipForClassification,
    ClipForImageAndTextRetrieval,
    ClipForQuestionAnswering,
    ClipForVisualEntailment,
    ClipForVisualReasoning,
)

__all__ = [
    "ClipForClassification",
    "ClipForImageAndTextRetrieval",
    "ClipForQuestionAnswering",
    "ClipForVisualEntailment",
    "ClipForVisualReasoning",
]
