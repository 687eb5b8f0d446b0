"""SigLIP as a model family (Zhai et al., 2023): two towers, with the heads of tasks.

SigLIP 2's checkpoints of a fixed image size are of this family too (``model_type: siglip``). Those of NaFlex
(``siglip2``), which take images cut to patches, are not supported.
"""

from __future__ import annotations

from .heads import (
    SiglipForClassification,
    SiglipForImageAndTextRetrieval,
    SiglipForQuestionAnswering,
    SiglipForVisualEntailment,
    SiglipForVisualReasoning,
)

__all__ = [
    "SiglipForClassification",
    "SiglipForImageAndTextRetrieval",
    "SiglipForQuestionAnswering",
    "SiglipForVisualEntailment",
    "SiglipForVisualReasoning",
]
