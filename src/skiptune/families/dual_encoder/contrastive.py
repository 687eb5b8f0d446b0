"""Contrastive retrieval: the similarity of every text with every image of a batch (Radford et al., 2021; Zhai et al.,
2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from ...core.errors import InputError
from ..head_inputs import Encoded, flat_texts, refuse_padding
from ..two_stream_head import States


@dataclass
class ContrastiveOutput(ModelOutput):
    """The output of a contrastive model.

    Attributes:
        loss: a number, if labels were given.
        logits: scaled similarities, ``(images, texts)``.
        text_embeds: of length 1, ``(texts, width)``.
        image_embeds: of length 1, ``(images, width)``.
        text_hidden_states, image_hidden_states: if asked for, each tower's stream before its first layer and after
            every one, ``(batch, tokens, width)``.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    text_embeds: Tensor | None = None
    image_embeds: Tensor | None = None
    text_hidden_states: States = None
    image_hidden_states: States = None


class ContrastiveHead(PreTrainedModel):
    """Image-text retrieval by two towers. Transformers' own model comes after it; weights and names are the same.

    Every image and every text is encoded once, whatever they are compared with. The false partners of a pair are those
    of the other pairs in its batch, on its process; of those, pairs of the same image or of the same text are left out.

    Attributes:
        contrastive: tells the task that batches are pairs.
    """

    contrastive: ClassVar[bool] = True

    @staticmethod
    def contrast(logits: Tensor, ignored: Tensor) -> Tensor:
        """The loss of ``logits`` ``(batch, batch)``, whose diagonal are the true pairs.

        Args:
            logits: scaled similarities, a row an image.
            ignored: true where a pair is neither true nor false, the same shape.
        """
        raise NotImplementedError

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        pixel_mask: Tensor | None = None,
    ) -> ContrastiveOutput:
        """Compare texts with images.

        Args:
            input_ids: ``(texts, tokens)``; or several texts for each image, ``(images, texts, tokens)``, which are
                compared with that image only.
            attention_mask: 1 where there is no padding, the same shape; ``None``: no padding.
            pixel_values: ``(images, channels, height, width)``.
            labels: for pairs, which image each text belongs to, by any numbers, ``(batch,)``; the loss is contrastive.
                For several texts an image: which of them is the true one, ``(images,)``; the loss is cross-entropy.
            output_hidden_states: also return the streams; ``None``: as the configuration says.
            pixel_mask: must be all ones; some processors add it.

        Raises:
            InputError: padded images, none, or labels for another number of texts than of images.
        """
        refuse_padding(pixel_mask)
        if pixel_values is None:
            raise InputError("pixel_values: none; the model needs images")
        texts, mask = flat_texts(input_ids, attention_mask)
        out: Any = super().forward(
            input_ids=texts,
            attention_mask=mask,
            pixel_values=pixel_values,
            output_hidden_states=output_hidden_states,
            return_dict=True,
        )
        several, logits = input_ids.ndim == 3, out.logits_per_image
        if several:
            images = input_ids.shape[0]  # not len(), which an export would take for a constant
            logits = logits.view(images, images, -1).diagonal().T
        loss = None
        if labels is not None:
            loss = cross_entropy(logits, labels) if several else self._contrastive(logits, texts, labels)
        states = (out.text_model_output.hidden_states, out.vision_model_output.hidden_states)
        return ContrastiveOutput(loss, logits, out.text_embeds, out.image_embeds, *states)

    def _contrastive(self, logits: Tensor, texts: Tensor, labels: Tensor) -> Tensor:
        if logits.shape[0] != logits.shape[1] or len(labels) != len(texts):
            raise InputError(f"labels: {len(labels)} for {len(texts)} texts and {len(logits)} images; give pairs")
        same_text = (texts[:, None] == texts[None]).all(-1)
        alike = (labels[:, None] == labels[None]) | same_text
        return self.contrast(logits, alike & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device))

    def encode_texts(self, input_ids: Tensor, attention_mask: Tensor) -> Encoded:
        """Unit vectors ``(texts, width)``; arguments ``(texts, tokens)``."""
        return (_unit(self.get_text_features(input_ids=input_ids, attention_mask=attention_mask, return_dict=True)),)

    def encode_images(self, pixel_values: Tensor, pixel_mask: Tensor | None = None) -> Encoded:
        """Unit vectors ``(images, width)``; arguments as in :meth:`forward`."""
        refuse_padding(pixel_mask)
        return (_unit(self.get_image_features(pixel_values=pixel_values, return_dict=True)),)

    def score(self, texts: Encoded, images: Encoded) -> Tensor:
        """As :meth:`~skiptune.families.two_stream_ranking.RankHead.score`: ``(images, texts / images)``."""
        vectors = texts[0].view(len(images[0]), -1, texts[0].shape[-1])
        return self._scaled((vectors @ images[0][..., None]).squeeze(-1))

    def compare(self, texts: Encoded, images: Encoded) -> Tensor:
        """Scaled similarities ``(images, texts)`` of all of them."""
        return self._scaled(images[0] @ texts[0].T)

    def _scaled(self, cosines: Tensor) -> Tensor:
        scaled: Tensor = cosines * self.logit_scale.exp() + getattr(self, "logit_bias", 0.0)
        return scaled


class InfoNceHead(ContrastiveHead):
    """CLIP's loss: the cross-entropy of the true text among those of the batch, and of the true image, averaged."""

    @staticmethod
    def contrast(logits: Tensor, ignored: Tensor) -> Tensor:
        """The symmetric cross-entropy, see :class:`ContrastiveHead`."""
        logits, own = logits.masked_fill(ignored, -torch.inf), torch.arange(len(logits), device=logits.device)
        return (cross_entropy(logits.T, own) + cross_entropy(logits, own)) / 2


class SigmoidHead(ContrastiveHead):
    """SigLIP's loss: for every pair of the batch whether it is a true one, summed over an image's texts and averaged
    over images."""

    @staticmethod
    def contrast(logits: Tensor, ignored: Tensor) -> Tensor:
        """The binary cross-entropy of all pairs, see :class:`ContrastiveHead`."""
        signs = 2 * torch.eye(len(logits), device=logits.device, dtype=logits.dtype) - 1
        found: Tensor = -logsigmoid(signs * logits).masked_fill(ignored, 0.0).sum(-1).mean()
        return found


def _unit(features: Any) -> Tensor:
    vector: Tensor = features.pooler_output
    unit: Tensor = vector / vector.norm(p=2, dim=-1, keepdim=True)
    return unit
