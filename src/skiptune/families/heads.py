"""The heads of four tasks on the pooled text and image of a model that fuses two streams; METER and BridgeTower.

The names of their layers are those of transformers' ViLT classes. A family puts a class of this file before its own
class with the body, whose ``fuse`` these call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from ..errors import InputError

States = tuple[Tensor, ...] | None


@dataclass
class Fused:
    """What ``fuse`` returns.

    Attributes:
        pooled: text then image, ``(texts, 2 · width)``.
        text_states, image_states: if asked for, the streams after every fusion layer; METER: before the first too.
    """

    pooled: Tensor
    text_states: States
    image_states: States


#: ``fuse(input_ids, attention_mask, pixel_values, image_number, output_hidden_states)``; ``image_number`` is 1 for the
#: second image of NLVR2.
Fuse = Callable[[Tensor, Tensor | None, Tensor | None, int, bool | None], Fused]


@dataclass
class TaskOutput(ModelOutput):
    """What the classes of this file return.

    Attributes:
        loss: a number, if labels were given.
        logits: ``(batch, labels)``.
        text_hidden_states, image_hidden_states: if asked for, the streams after every fusion layer (METER: before the
            first too), ``(texts, tokens, width)``; NLVR2: those of the first image's pass.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    text_hidden_states: States = None
    image_hidden_states: States = None


class _OneImageHead(PreTrainedModel):
    """A classifier over ``config.num_labels`` choices, for one text an image."""

    fuse: Fuse

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.classifier = _classifier(2 * config.hidden_size, config)
        self.post_init()

    @staticmethod
    def compare(logits: Tensor, labels: Tensor) -> Tensor:
        """The loss."""
        return cross_entropy(logits, labels)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        pixel_mask: Tensor | None = None,
    ) -> TaskOutput:
        """Classify one text an image.

        Args:
            input_ids: ``(batch, tokens)``.
            attention_mask: 1 where there is no padding, ``(batch, tokens)``; ``None``: no padding.
            pixel_values: ``(batch, channels, height, width)``.
            labels: as the class says.
            output_hidden_states: also return the streams; ``None``: as the configuration says.
            pixel_mask: what some processors add, all ones.

        Raises:
            InputError: padded images, or another number of images than of texts.
        """
        _refuse_padding(pixel_mask)
        fused = self.fuse(input_ids, attention_mask, pixel_values, 0, output_hidden_states)
        logits = self.classifier(fused.pooled)
        loss = None if labels is None else self.compare(logits, labels)
        return TaskOutput(loss, logits, fused.text_states, fused.image_states)


class QuestionAnsweringHead(_OneImageHead):
    """A classifier over ``config.num_labels`` answers, with soft scores.

    ``labels``: scores in [0, 1], ``(batch, answers)``; the loss is the binary cross-entropy, summed over answers and
    averaged over the batch.
    """

    @staticmethod
    def compare(logits: Tensor, labels: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(logits, labels.to(logits)) * labels.shape[1]


class VisualEntailmentHead(_OneImageHead):
    """A classifier over ``config.num_labels`` classes, three for SNLI-VE.

    ``labels``: class numbers ``(batch,)``; the loss is cross-entropy.
    """


class VisualReasoningHead(PreTrainedModel):
    """NLVR2: is a statement true of two images? One pass an image, pooled outputs side by side, two layers."""

    fuse: Fuse

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.classifier = _classifier(4 * config.hidden_size, config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        pixel_mask: Tensor | None = None,
    ) -> TaskOutput:
        """Judge one statement a pair of images.

        Args:
            input_ids: ``(batch, tokens)``.
            attention_mask: ``(batch, tokens)``.
            pixel_values: ``(batch, 2, channels, height, width)``.
            labels: class numbers ``(batch,)``; the loss is cross-entropy.
            output_hidden_states: also return the streams of the first pass.
            pixel_mask: what some processors add, all ones.

        Raises:
            InputError: padded images, or not two images a statement.
        """
        _refuse_padding(pixel_mask)
        if pixel_values is None or pixel_values.ndim != 5 or pixel_values.shape[1] != 2:
            shape = None if pixel_values is None else tuple(pixel_values.shape)
            raise InputError(f"pixel_values: {shape}; NLVR2 needs two images, (batch, 2, channels, height, width)")
        passes = [
            self.fuse(input_ids, attention_mask, pixel_values[:, number], number, output_hidden_states)
            for number in range(2)
        ]
        logits = self.classifier(torch.cat([fused.pooled for fused in passes], dim=-1))
        return _classified(logits, labels, passes[0])


class RankHead(PreTrainedModel):
    """How well texts and images go together: one number a pair, compared between the texts of an image."""

    fuse: Fuse

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.rank_output = nn.Linear(2 * config.hidden_size, 1)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        pixel_mask: Tensor | None = None,
    ) -> TaskOutput:
        """Score pairs.

        Args:
            input_ids: ``(batch, tokens)``, or several texts an image, ``(batch, texts, tokens)``.
            attention_mask: the same shape.
            pixel_values: ``(batch, channels, height, width)``; every image is encoded once.
            labels: which text is the true one, ``(batch,)``; the loss is cross-entropy over an image's texts.
            output_hidden_states: also return the streams, ``(batch · texts, …)``.
            pixel_mask: what some processors add, all ones.

        Returns:
            ``logits`` ``(batch, texts)``; ``(batch, 1)`` for one text an image.

        Raises:
            InputError: padded images, or another number of images than of rows of texts.
        """
        _refuse_padding(pixel_mask)
        rows = len(input_ids)
        texts = input_ids.flatten(0, -2)
        mask = None if attention_mask is None else attention_mask.flatten(0, -2)
        fused = self.fuse(texts, mask, pixel_values, 0, output_hidden_states)
        return _classified(self.rank_output(fused.pooled).view(rows, -1), labels, fused)


def pair_up(input_ids: Tensor, images: Tensor | None) -> tuple[Tensor, int]:
    """The images, and how many of the texts, in turn, go with each.

    Raises:
        InputError: no images, or a number of texts that is no multiple of that of the images.
    """
    texts, count = len(input_ids), 0 if images is None else len(images)
    if images is None or not count or texts % count:
        raise InputError(f"pixel_values: {count} images for {texts} texts; there must be as many, or a fraction")
    return images, texts // count


def _classifier(inputs: int, config: Any) -> nn.Sequential:
    """Two layers, as the original's heads have them (LayerNorm epsilon 1e-5)."""
    width = 2 * config.hidden_size
    return nn.Sequential(nn.Linear(inputs, width), nn.LayerNorm(width), nn.GELU(), nn.Linear(width, config.num_labels))


def _classified(logits: Tensor, labels: Tensor | None, fused: Fused) -> TaskOutput:
    loss = None if labels is None else cross_entropy(logits, labels)
    return TaskOutput(loss, logits, fused.text_states, fused.image_states)


def _refuse_padding(pixel_mask: Tensor | None) -> None:
    if pixel_mask is not None and not bool(pixel_mask.all()):
        raise InputError(
            "pixel_mask: some images are padded, and this model takes padding for part of the picture; let the image "
            "processor bring all images to one size (BridgeTower's: do_center_crop=True)"
        )
