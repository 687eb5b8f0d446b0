"""Visual question answering: a classifier over an answer vocabulary, soft scores, binary cross-entropy.

The loss is the one of transformers' ``ViltForQuestionAnswering`` and of the released code: binary cross-entropy with
the soft scores, averaged over batch and answers, times the number of answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ..data.images import ImageStore
from ..data.records import Record
from ..errors import InputError
from ..families.registry import family_of_processor


class Vqa:
    """A question-answering task over a fixed list of answers.

    Args:
        processor: tokenizer and image processor of the model.
        answers: the answers the model can give, in label order.
    """

    name = "vqa"
    metric = "accuracy"

    def __init__(self, processor: Any, answers: Sequence[str]) -> None:
        if len(answers) < 2 or len(set(answers)) != len(answers):
            raise InputError(f"answers: {len(answers)} given; at least two different ones are needed, none twice")
        self.processor = processor
        self.answers = tuple(answers)
        self.labels = {answer: label for label, answer in enumerate(self.answers)}
        self.images = ImageStore(processor.image_processor)

    @classmethod
    def from_records(cls, processor: Any, records: Sequence[Record], least: int = 1) -> Vqa:
        """The task whose vocabulary is every answer given at least ``least`` times in ``records``, sorted."""
        counts = Counter(answer for record in records for answer in record.answers)
        return cls(processor, sorted(answer for answer, count in counts.items() if count >= least))

    @property
    def model_class(self) -> type[PreTrainedModel]:
        """The class with a head for this task, of the family that the processor belongs to."""
        return family_of_processor(self.processor).model_class(self.name)

    def model_changes(self) -> dict[str, Any]:
        """Configuration fields of a model for this task."""
        labels = dict(enumerate(self.answers))
        return {"num_labels": len(labels), "id2label": labels, "label2id": {text: k for k, text in labels.items()}}

    def collate(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Records to ``input_ids``, ``attention_mask`` (batch, length), pixels and ``labels`` (batch, answers)."""
        tokenizer = self.processor.tokenizer
        limit = min(tokenizer.model_max_length, 512)
        text = tokenizer(
            [record.question for record in records],
            padding=True,
            truncation=True,
            max_length=limit,
            return_tensors="pt",
        )
        labels = torch.zeros(len(records), len(self.answers))
        for row, record in enumerate(records):
            for answer, score in record.answers.items():
                if answer in self.labels:
                    labels[row, self.labels[answer]] = score
        pixels = self.images.batch([record.image for record in records])
        return {"input_ids": text["input_ids"], "attention_mask": text["attention_mask"], **pixels, "labels": labels}

    def score(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The soft score of the most likely answer, ``(batch,)`` in [0, 1]: plain accuracy for single answers."""
        return labels.gather(1, logits.argmax(1, keepdim=True))[:, 0]

    def unknown_answers(self, records: Sequence[Record]) -> int:
        """How many records have no answer in the vocabulary: they can only count as wrong."""
        return sum(not any(answer in self.labels for answer in record.answers) for record in records)

    def probabilities(self, logits: Tensor) -> Tensor:
        """``(batch, answers)``: how likely each answer is to be accepted; independent of each other, as in training."""
        return logits.sigmoid()
