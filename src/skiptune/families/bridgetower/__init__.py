"""BridgeTower as a model family: transformers' model made skippable, and task heads that transformers lacks."""

from .heads import (
    BridgeTowerForClassification,
    BridgeTowerForImageAndTextRanking,
    BridgeTowerForQuestionAnswering,
    BridgeTowerForVisualEntailment,
    BridgeTowerForVisualReasoning,
)

__all__ = [
    "BridgeTowerForClassification",
    "BridgeTowerForImageAndTextRanking",
    "BridgeTowerForQuestionAnswering",
    "BridgeTowerForVisualEntailment",
    "BridgeTowerForVisualReasoning",
]
