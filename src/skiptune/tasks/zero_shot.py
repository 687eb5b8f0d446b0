"""Zero-shot classification: the label whose name, in a sentence, is nearest to the image (Radford et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..core.errors import InputError
from ..data.record import Record
from ..families.classifier import loss_by_labels
from ..families.head_inputs import Encoded
from ..families.registry import family_of_processor
from ..families.two_stream_head import TaskOutput
from .classification import Classification
from .contrastive import is_contrastive
from .evaluation_result import Evaluation
from .task import ConfigFields, on_device
from .task_settings import TaskSettings

PROMPTS = ("a photo of a {}.",)


class ZeroShot(Classification):
    """Classification by a retrieval model of two towers (CLIP, SigLIP), without a head and without training.

    ``evaluate`` and ``predict`` take it with the model as loaded, with blocks skipped (:func:`skiptune.choose`), or
    slim. A label is told by the mean of the unit vectors of its ``prompts``; the probabilities are the softmax of the
    scaled similarities.

    Args:
        processor: of the model.
        answers: names of the labels, in order.
        prompts: sentences, in which ``{}`` stands for a label's name.

    Raises:
        InputError: a prompt without ``{}``, a model of another kind, or labels as in :class:`Classification`.
    """

    trained = False

    def __init__(self, processor: Any, answers: Sequence[str], prompts: Sequence[str] = PROMPTS) -> None:
        super().__init__(processor, answers)
        given = [prompts] if isinstance(prompts, str) else list(prompts)
        wrong = [prompt for prompt in given if not isinstance(prompt, str) or "{}" not in prompt]
        if wrong or not given:
            raise InputError(f"prompts: {(wrong or given)!r}; expected sentences with {{}} for a label's name")
        self.prompts = tuple(given)
        if not is_contrastive(self.model_class):
            family = family_of_processor(processor).name
            raise InputError(f"zero-shot: a {family} compares no vectors of images and texts; CLIP and SigLIP do")

    @classmethod
    def from_checked(cls, processor: Any, records: Sequence[Record], least: int = 1, **options: Any) -> ZeroShot:
        """The labels of the records, as :class:`Classification` finds them.

        Raises:
            InputError: a record has several labels.
        """
        found = Classification.from_checked(processor, records, least)
        if found.several:
            raise InputError("zero-shot: a record has several labels; it chooses one")
        return cls(processor, found.answers, **options)

    @property
    def head(self) -> str:
        return "retrieval"

    def settings(self) -> TaskSettings:
        return {"answers": list(self.answers), "prompts": list(self.prompts)}

    def model_changes(self) -> ConfigFields:
        return {}

    def inputs(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """The images alone."""
        return self.pixels(records)

    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        return super().measure(self._with_labels(model), records, batch_size, title)

    def asked_model(self, model: nn.Module) -> nn.Module:
        return self._with_labels(model)

    def _with_labels(self, model: Any) -> nn.Module:
        """The model as a classifier."""
        if not is_contrastive(model):
            raise InputError(f"zero-shot: {type(model).__name__} compares no vectors; load the model for 'retrieval'")
        texts = [prompt.replace("{}", answer) for answer in self.answers for prompt in self.prompts]
        with torch.no_grad():
            (vectors,) = model.encode_texts(**on_device(self.tokenize(texts), model))
        means = vectors.view(len(self.answers), len(self.prompts), -1).mean(1)
        return _Compared(model, (normalize(means, dim=-1),))


class _Compared(nn.Module):
    """A classifier of images, by the similarity with the vectors of labels."""

    def __init__(self, model: Any, labels: Encoded) -> None:
        super().__init__()
        self.model, self.labels = model, labels

    def forward(self, labels: Tensor | None = None, **images: Tensor) -> TaskOutput:
        """``logits`` ``(images, labels)`` and, with class numbers, the cross-entropy."""
        logits = self.model.compare(self.labels, self.model.encode_images(**images))
        return TaskOutput(None if labels is None else loss_by_labels(logits, labels), logits)
