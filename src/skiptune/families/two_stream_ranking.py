"""The head of image-text retrieval on the pooled text and image of METER and BridgeTower."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from .head_inputs import Encoded, flat_texts
from .two_stream_head import Fused, Inputs, TwoStreamHead


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


class RankHead(TwoStreamHead):
    """Image-text retrieval: one score per pair, compared between the texts of an image.

    ``logits`` are ``(batch, texts)``; ``(batch, 1)`` for one text per image. ``labels``: which text is the true one,
    ``(batch,)``; the loss is the cross-entropy over an image's texts. With ``config.matching_loss`` that of a
    :class:`MatchingHead` is added, at equal weight. Every image is encoded once.

    For many pairs of few texts and images, ``score(encode_texts(…), encode_images(…))`` of a family's class runs each
    encoder once a text, and once an image; in evaluation mode it gives what ``forward`` gives for the same batches of
    texts, bit for bit.

    Attributes:
        comparable: whether the encoders' outputs can be compared without the fusion; then ``text_vectors`` and
            ``image_vectors`` give unit vectors ``(number, width)`` of encoder outputs, whose cosine is high for
            matching pairs.
    """

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

    def logits_of(self, inputs: Inputs) -> tuple[Tensor, Fused]:
        texts, mask = flat_texts(inputs.input_ids, inputs.attention_mask)
        fused = self.fuse(inputs._replace(input_ids=texts, attention_mask=mask), 0)
        return self._rank(
            fused, inputs.input_ids.shape[0]
        ), fused  # not len(), which an export would take for a constant

    def loss_of(self, logits: Tensor, labels: Tensor, fused: Fused) -> Tensor:
        loss = super().loss_of(logits, labels, fused)
        if self.matching is None:
            return loss
        matched: Tensor = self.matching(fused.pooled.view(*logits.shape, -1), labels)
        return loss + matched

    def _rank(self, fused: Fused, images: int) -> Tensor:
        scores: Tensor = self.rank_output(fused.pooled).view(images, -1)
        return scores if fused.closeness is None else scores + fused.closeness.to(scores).view(images, -1)
