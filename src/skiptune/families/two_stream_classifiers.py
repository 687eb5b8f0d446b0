"""Heads that classify the pooled text and image of models with two streams: answers, classes, numbers, two images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from .classifier import loss_by_labels, make_classifier
from .two_stream_head import Fused, Inputs, TwoStreamHead


class _OneImageHead(TwoStreamHead):
    """A classifier over ``config.num_labels`` choices, for one text per image."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        width = self.pooled_width
        self.classifier: nn.Module = make_classifier(width, width, config.num_labels)
        self.post_init()

    def logits_of(self, inputs: Inputs) -> tuple[Tensor, Fused]:
        fused = self.fuse(inputs, 0)
        return self.classifier(fused.pooled), fused


class VisualEntailmentHead(_OneImageHead):
    """A classifier over ``config.num_labels`` classes, three for SNLI-VE.

    ``labels``: class numbers ``(batch,)``; the loss is cross-entropy.
    """


class QuestionAnsweringHead(_OneImageHead):
    """A classifier over ``config.num_labels`` answers, with soft scores.

    ``labels``: scores in [0, 1], ``(batch, answers)``; the loss is the binary cross-entropy, summed over answers and
    averaged over the batch.
    """

    def loss_of(self, logits: Tensor, labels: Tensor, fused: Fused) -> Tensor:
        return loss_by_labels(logits, labels)


class ClassificationHead(_OneImageHead):
    """A classifier over ``config.num_labels`` classes, or one number.

    ``labels``: class numbers ``(batch,)``, scores of all classes ``(batch, classes)``, or numbers ``(batch,)``; see
    :func:`~skiptune.families.classifier.loss_by_labels`.
    """

    def loss_of(self, logits: Tensor, labels: Tensor, fused: Fused) -> Tensor:
        return loss_by_labels(logits, labels)


class VisualReasoningHead(TwoStreamHead):
    """Is a statement true of two images? One pass per image, pooled outputs concatenated, two layers.

    ``labels``: class numbers ``(batch,)``; the loss is cross-entropy.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        width = self.pooled_width
        self.classifier = make_classifier(2 * width, width, config.num_labels)
        self.post_init()

    def logits_of(self, inputs: Inputs) -> tuple[Tensor, Fused]:
        pixels = inputs.pixel_values
        if pixels is None or pixels.ndim != 5 or pixels.shape[1] != 2:
            shape = None if pixels is None else tuple(pixels.shape)
            raise InputError(f"pixel_values: {shape}; NLVR2 needs two images, (batch, 2, channels, height, width)")
        passes = [self.fuse(inputs._replace(pixel_values=pixels[:, number]), number) for number in range(2)]
        return self.classifier(torch.cat([fused.pooled for fused in passes], dim=-1)), passes[0]
