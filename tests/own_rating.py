"""A task and a model class of one's own, as a user's module has them: how many of five stars, by an ordinal head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import ViltConfig, ViltModel
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.models.vilt.modeling_vilt import ViltPreTrainedModel

import skiptune as st


class ViltForRating(ViltPreTrainedModel):
    """One logit for each threshold between two neighbouring ratings: is it above?"""

    def __init__(self, config: ViltConfig) -> None:
        super().__init__(config)
        self.vilt = ViltModel(config)
        self.above = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, labels: Tensor | None = None, **inputs: Any) -> SequenceClassifierOutput:
        logits = self.above(self.vilt(**inputs).pooler_output)
        loss = None if labels is None else nn.functional.binary_cross_entropy_with_logits(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


class Rating(st.ScoredTask):
    """Stars from 1 to ``most``, the ``value`` of a record."""

    name, metric, unit, needs_text = "rating", "closeness", "reviews", False
    model_class = ViltForRating

    def __init__(self, processor: Any, most: int = 5) -> None:
        super().__init__(processor)
        self.most = most

    def settings(self) -> dict[str, Any]:
        return {"most": self.most}

    def model_changes(self) -> dict[str, Any]:
        return {"num_labels": self.most - 1}

    def labels(self, records: Sequence[st.Record]) -> Tensor:
        return torch.tensor([[float(record.value > k) for k in range(1, self.most)] for record in records])

    def predictions(self, logits: Tensor) -> list[float]:
        return (1 + logits.sigmoid().sum(1)).tolist()

    def score(self, record: st.Record, prediction: float) -> float:
        return 1 - abs(prediction - record.value) / (self.most - 1)
