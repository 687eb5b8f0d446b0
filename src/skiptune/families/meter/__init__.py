"""METER as a model family in transformers' style (Dou et al., 2022): configuration, model, task heads, processor."""

from __future__ import annotations

from transformers import AutoConfig

from .configuration import MeterConfig
from .heads import (
    MeterForClassification,
    MeterForImageAndTextRetrieval,
    MeterForQuestionAnswering,
    MeterForVisualEntailment,
    MeterForVisualReasoning,
)
from .modeling import MeterModel
from .processing import MeterProcessor

AutoConfig.register(MeterConfig.model_type, MeterConfig, exist_ok=True)

__all__ = [
    "MeterConfig",
    "MeterForClassification",
    "MeterForImageAndTextRetrieval",
    "MeterForQuestionAnswering",
    "MeterForVisualEntailment",
    "MeterForVisualReasoning",
    "MeterModel",
    "MeterProcessor",
]
