"""The heads of four tasks for models that fuse two streams, METER and BridgeTower. They read the pooled text and image.

The names of their layers are those of transformers' ViLT classes. A family puts a class of this file before its own
class with the body, whose ``fuse`` these call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, linear
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from ..core.errors import InputError

States = tuple[Tensor, ...] | None


@dataclass
class Fused:
    """What ``fuse`` returns.

    Attributes:
        pooled: text then image, ``(texts, 2 · width)``.
        text_states, image_states: if asked for, the streams after every fusion layer; METER: before the first too.
        closeness: scaled cosine of the encoders' text and image vectors, ``(texts,)``, for a retrieval model that adds
            it.
    """

    pooled: Tensor
    text_states: States
    image_states: States
    closeness: Tensor | None = None


#: ``fuse(input_ids, attention_mask, pixel_values, image_number, output_hidden_states)``; ``image_number`` is 1 for the
#: second image of NLVR2.
Fuse = Callable[[Tensor, Tensor | None, Tensor | None, int, bool | None], Fused]


@dataclass
class TaskOutput(ModelOutput):
    """The output of the classes of this file.

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


#: Encoded texts, or encoded images: each tensor has one row per text or image.
Encoded = tuple[Tensor, ...]


class _OneImageHead(PreTrainedModel):
    """A classifier over ``config.num_labels`` choices, for one text per image."""

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
        """Classify one text per image.

        Args:
            input_ids: ``(batch, tokens)``.
            attention_mask: 1 where there is no padding, ``(batch, tokens)``; ``None``: no padding.
            pixel_values: ``(batch, channels, height, width)``.
            labels: as the class says.
            output_hidden_states: also return the streams; ``None``: as the configuration says.
            pixel_mask: must be all ones; some processors add it.

        Raises:
            InputError: padded images, or another number of images than of texts.
        """
        refuse_padding(pixel_mask)
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
    """NLVR2: is a statement true of two images? One pass per image, pooled outputs concatenated, two layers."""

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
        """Classify one statement per pair of images.

        Args:
            input_ids: ``(batch, tokens)``.
            attention_mask: ``(batch, tokens)``.
            pixel_values: ``(batch, 2, channels, height, width)``.
            labels: class numbers ``(batch,)``; the loss is cross-entropy.
            output_hidden_states: also return the streams of the first pass.
            pixel_mask: must be all ones; some processors add it.

        Raises:
            InputError: padded images, or not two images a statement.
        """
        refuse_padding(pixel_mask)
        if pixel_values is None or pixel_values.ndim != 5 or pixel_values.shape[1] != 2:
            shape = None if pixel_values is None else tuple(pixel_values.shape)
            raise InputError(f"pixel_values: {shape}; NLVR2 needs two images, (batch, 2, channels, height, width)")
        passes = [
            self.fuse(input_ids, attention_mask, pixel_values[:, number], number, output_hidden_states)
            for number in range(2)
        ]
        logits = self.classifier(torch.cat([fused.pooled for fused in passes], dim=-1))
        return _classified(logits, labels, passes[0])


class MatchingHead(nn.Module):
    """The pre-trained head for image-text matching, never trained further: two rows, "no match" and "match".

    As in the released METER run, the gradient of its loss trains the parameters below it.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(2, width))
        self.register_buffer("bias", torch.zeros(2))

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy over one matching and one non-matching pair per image.

        Args:
            pooled: ``(images, texts, width)``.
            labels: index of the matching text, ``(images,)``; the text after it makes the non-matching pair.
        """
        rows, texts = torch.arange(len(pooled), device=pooled.device), pooled.shape[1]
        pairs = torch.cat((pooled[rows, (labels + 1) % texts], pooled[rows, labels]))
        return cross_entropy(
            linear(pairs, self.weight, self.bias), rows.new_tensor([0, 1]).repeat_interleave(len(rows))
        )


class RankHead(PreTrainedModel):
    """Image-text retrieval: one score per pair, compared between the texts of an image.

    With ``config.matching_loss`` the loss of a :class:`MatchingHead` is added to that of the comparison, at equal
    weight.

    For many pairs of few texts and images, ``score(encode_texts(…), encode_images(…))`` of a family's class runs each
    encoder once a text, and once an image; in evaluation mode it gives what ``forward`` gives for the same batches of
    texts, bit for bit.

    Attributes:
        comparable: whether the encoders' outputs can be compared without the fusion; then ``text_vectors`` and
            ``image_vectors`` give unit vectors ``(number, width)`` of encoder outputs, whose cosine is high for
            matching pairs.
    """

    fuse: Fuse
    fuse_encoded: Callable[[Encoded, Encoded], Fused]
    comparable = False

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        width = 2 * config.hidden_size
        self.rank_output = nn.Linear(width, 1)
        self.matching = MatchingHead(width) if getattr(config, "matching_loss", False) else None
        self.post_init()

    def score(self, texts: Encoded, images: Encoded) -> Tensor:
        """Scores ``(images, k)`` with ``k = texts / images``: the first ``k`` texts with the first image, and so on.

        Args:
            texts: of ``encode_texts``; as many as images, or a multiple.
            images: of ``encode_images``.
        """
        return self._rank(self.fuse_encoded(texts, images), len(images[0]))

    def _rank(self, fused: Fused, images: int) -> Tensor:
        scores: Tensor = self.rank_output(fused.pooled).view(images, -1)
        return scores if fused.closeness is None else scores + fused.closeness.to(scores).view(images, -1)

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
            input_ids: ``(batch, tokens)``, or several texts per image, ``(batch, texts, tokens)``.
            attention_mask: the same shape.
            pixel_values: ``(batch, channels, height, width)``; every image is encoded once.
            labels: which text is the true one, ``(batch,)``; the loss is cross-entropy over an image's texts, and that
                of matching where there is its head.
            output_hidden_states: also return the streams, ``(batch · texts, …)``.
            pixel_mask: must be all ones; some processors add it.

        Returns:
            ``logits`` ``(batch, texts)``; ``(batch, 1)`` for one text per image.

        Raises:
            InputError: padded images, or another number of images than of rows of texts.
        """
        refuse_padding(pixel_mask)
        rows = input_ids.shape[0]  # not len(), which an export would take for a constant
        texts = input_ids.flatten(0, -2)
        mask = None if attention_mask is None else attention_mask.flatten(0, -2)
        fused = self.fuse(texts, mask, pixel_values, 0, output_hidden_states)
        logits = self._rank(fused, rows)
        output = _classified(logits, labels, fused)
        if output.loss is not None and self.matching is not None:
            output.loss = output.loss + self.matching(fused.pooled.view(rows, logits.shape[1], -1), labels)
        return output


def pair_up(input_ids: Tensor, images: Tensor | None) -> tuple[Tensor, int]:
    """The images, and the number of texts per image.

    Raises:
        InputError: no images, or the number of texts is not a multiple of that of the images.
    """
    texts, count = input_ids.shape[0], 0 if images is None else images.shape[0]  # len() is a constant in an export
    if images is None or not count or texts % count:
        raise InputError(f"pixel_values: {count} images for {texts} texts; there must be as many, or a fraction")
    return images, texts // count


def for_each_text(images: Tensor, share: int) -> Tensor:
    """Repeat every row ``share`` times: ``(images, …)`` to ``(images · share, …)``.

    The same as ``repeat_interleave``, which cannot be exported for a number that is only known at run time.
    """
    return images.unsqueeze(1).expand(-1, share, *images.shape[1:]).flatten(0, 1)


def _classifier(inputs: int, config: Any) -> nn.Sequential:
    """Two layers, as the original's heads have them (LayerNorm epsilon 1e-5)."""
    width = 2 * config.hidden_size
    return nn.Sequential(nn.Linear(inputs, width), nn.LayerNorm(width), nn.GELU(), nn.Linear(width, config.num_labels))


def _classified(logits: Tensor, labels: Tensor | None, fused: Fused) -> TaskOutput:
    loss = None if labels is None else cross_entropy(logits, labels)
    return TaskOutput(loss, logits, fused.text_states, fused.image_states)


def refuse_padding(pixel_mask: Tensor | None) -> None:
    """Refuse images of different size, padded to one.

    Raises:
        InputError: the mask ``(batch, height, width)`` is not all ones.
    """
    if pixel_mask is not None and not bool(pixel_mask.all()):
        raise InputError(
            "pixel_mask: some images are padded, and this model takes padding for part of the picture; let the image "
            "processor bring all images to one size (BridgeTower's: do_center_crop=True)"
        )
