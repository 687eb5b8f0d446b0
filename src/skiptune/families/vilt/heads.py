"""ViLT's heads that transformers lacks: entailment, retrieval with a loss, pairs of images from any checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import ViltConfig, ViltForImageAndTextRetrieval, ViltForImagesAndTextClassification, ViltModel
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.models.vilt.modeling_vilt import ViltPreTrainedModel

from ..two_stream_heads import Encoded, for_each_text


class ViltForVisualReasoning(ViltForImagesAndTextClassification):
    """NLVR2: transformers' class, which knows the second image by a third token type."""

    @classmethod
    def from_pretrained(cls, source: Any, *args: Any, **kwargs: Any) -> Any:
        """As transformers has it. Where a checkpoint has no token type for a second image, it starts as a copy of the
        first's, as in the released code.
        """
        config = kwargs.setdefault("config", ViltConfig.from_pretrained(source))
        wanted, there = config.modality_type_vocab_size, ViltConfig.from_pretrained(source).modality_type_vocab_size
        config.modality_type_vocab_size = min(wanted, there)
        found = super().from_pretrained(source, *args, **kwargs)
        model = found[0] if isinstance(found, tuple) else found
        if there < wanted:
            embeddings = model.vilt.embeddings
            rows = embeddings.token_type_embeddings.weight.detach()
            table = torch.cat((rows, rows[1:2].expand(wanted - there, -1)))
            embeddings.token_type_embeddings = nn.Embedding(len(table), table.shape[1], _weight=table)
            model.config.modality_type_vocab_size = wanted
        return found


class ViltForVisualEntailment(ViltPreTrainedModel):
    """A classifier over ``config.num_labels`` classes, three for SNLI-VE: two layers, as ViLT's other heads have."""

    def __init__(self, config: ViltConfig) -> None:
        super().__init__(config)
        self.vilt = ViltModel(config)
        width = config.hidden_size
        self.classifier = nn.Sequential(
            nn.Linear(width, 2 * width), nn.LayerNorm(2 * width), nn.GELU(), nn.Linear(2 * width, config.num_labels)
        )
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        pixel_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Classify one statement per image; arguments as in ``ViltModel``.

        ``labels``: class numbers ``(batch,)``; the loss is cross-entropy.
        """
        body = self.vilt(input_ids, attention_mask, pixel_values=pixel_values, pixel_mask=pixel_mask, **kwargs)
        logits = self.classifier(body.pooler_output)
        loss = None if labels is None else cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=body.hidden_states)


class ViltForRanking(ViltForImageAndTextRetrieval):
    """transformers' retrieval model with several texts per image and a loss; weights and names are the same."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        pixel_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Score pairs. Every image is embedded once for all its texts.

        Args:
            input_ids: ``(batch, tokens)``, or several texts per image, ``(batch, texts, tokens)``.
            attention_mask: the same shape.
            pixel_values: ``(batch, channels, height, width)``.
            pixel_mask: ``(batch, height, width)``.
            labels: which text is the true one, ``(batch,)``; the loss is cross-entropy over an image's texts.
            kwargs: as in ``ViltModel``.

        Returns:
            ``logits`` ``(batch, texts)``; ``(batch, 1)`` for one text per image.
        """
        rows, texts = input_ids.shape[0], input_ids.flatten(0, -2)  # len() is a constant in an export
        mask = None if attention_mask is None else attention_mask.flatten(0, -2)
        body = self._fuse(texts, mask, *self.encode_images(pixel_values, pixel_mask), **kwargs)
        logits = self.rank_output(body.pooler_output).view(rows, -1)
        loss = None if labels is None else cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=body.hidden_states)

    def encode_texts(self, input_ids: Tensor, attention_mask: Tensor) -> Encoded:
        """The arguments, ``(texts, tokens)``: ViLT has no encoder of texts."""
        return input_ids, attention_mask

    def encode_images(self, pixel_values: Tensor | None, pixel_mask: Tensor | None = None) -> Encoded:
        """Embedded patches ``(images, 1 + patches, width)`` and their mask; arguments as in :meth:`forward`."""
        if pixel_mask is None and pixel_values is not None:
            pixel_mask = torch.ones_like(pixel_values[:, 0], dtype=torch.long)
        patches, mask, _ = self.vilt.embeddings.visual_embed(pixel_values, pixel_mask, -1)
        return patches, mask

    def score(self, texts: Encoded, images: Encoded) -> Tensor:
        """As :meth:`skiptune.families.two_stream_heads.RankHead.score`: all of the model but the patches' embedding."""
        scores: Tensor = self.rank_output(self._fuse(*texts, *images).pooler_output)
        return scores.view(len(images[0]), -1)

    def _fuse(self, texts: Tensor, mask: Tensor | None, patches: Tensor, patch_mask: Tensor, **kwargs: Any) -> Any:
        share = texts.shape[0] // patches.shape[0]
        return self.vilt(
            texts,
            mask,
            image_embeds=for_each_text(patches, share),
            pixel_mask=for_each_text(patch_mask, share),
            **kwargs,
        )
