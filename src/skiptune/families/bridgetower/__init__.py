"""BridgeTower as a model family: transformers' model made skippable, and task heads that transformers lacks."""

from .heads import (
    BridgeTowerForImageAndTextRanking,
    BridgeTowerForQuestionAnswering,
    BridgeTowerForVisualEntailment,
    BridgeTowerForVisualReasoning,
)

__all__ = [
    "BridgeTowerForImageAndTextRanking",
    "BridgeTowerForQuestionAnswering",
    "BridgeTowerForVisualEntailment",
    "BridgeTowerForVisualReasoning",
]
