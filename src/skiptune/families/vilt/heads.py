"""ViLT's heads that transformers lacks: classes, numbers, retrieval with a loss, pairs from any checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import ViltConfig, ViltForImageAndTextRetrieval, ViltForImagesAndTextClassification, ViltModel
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.models.vilt.modeling_vilt import ViltPreTrainedModel

from ..classifier import loss_by_labels, make_classifier
from ..head_inputs import Encoded, flat_texts, for_each_text


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


class _ViltHead(ViltPreTrainedModel):
    """A head on ViLT's pooled output. A task's class says how it is used: ``logits_of``."""

    def logits_of(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        pixel_values: Tensor | None,
        pixel_mask: Tensor | None,
        **kwargs: Any,
    ) -> tuple[Tensor, Any]:
        """Logits ``(batch, labels)`` and the output of ``ViltModel`` that they were computed from."""
        raise NotImplementedError

    def loss_of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy of class numbers ``(batch,)``, unless the class says otherwise."""
        return cross_entropy(logits, labels)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        pixel_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Classify texts about images.

        Args:
            input_ids: ``(batch, tokens)``; retrieval also takes several texts per image, ``(batch, texts, tokens)``.
            attention_mask: 1 where there is no padding, the same shape; ``None``: no padding.
            pixel_values: ``(batch, channels, height, width)``.
            pixel_mask: 1 where there is no padding, ``(batch, height, width)``.
            labels: class numbers ``(batch,)``, or as the class says.
            kwargs: as in ``ViltModel``.
        """
        logits, body = self.logits_of(input_ids, attention_mask, pixel_values, pixel_mask, **kwargs)
        loss = None if labels is None else self.loss_of(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=body.hidden_states)


class ViltForVisualEntailment(_ViltHead):
    """A classifier over ``config.num_labels`` classes, three for SNLI-VE: two layers, as ViLT's other heads have."""

    def __init__(self, config: ViltConfig) -> None:
        super().__init__(config)
        self.vilt = ViltModel(config)
        self.classifier = make_classifier(config.hidden_size, 2 * config.hidden_size, config.num_labels)
        self.post_init()

    def logits_of(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        pixel_values: Tensor | None,
        pixel_mask: Tensor | None,
        **kwargs: Any,
    ) -> tuple[Tensor, Any]:
        body = self.vilt(input_ids, attention_mask, pixel_values=pixel_values, pixel_mask=pixel_mask, **kwargs)
        return self.classifier(body.pooler_output), body


class ViltForClassification(ViltForVisualEntailment):
    """A classifier over ``config.num_labels`` classes of one or several labels, or one number.

    ``labels``: class numbers ``(batch,)``, scores of all classes ``(batch, classes)``, or numbers ``(batch,)``; see
    :func:`~skiptune.families.classifier.loss_by_labels`.
    """

    def loss_of(self, logits: Tensor, labels: Tensor) -> Tensor:
        return loss_by_labels(logits, labels)


class ViltForRanking(_ViltHead, ViltForImageAndTextRetrieval):
    """transformers' retrieval model with several texts per image and a loss; weights and names are the same.

    ``logits`` are ``(batch, texts)``; ``(batch, 1)`` for one text per image. ``labels``: which text is the true one,
    ``(batch,)``. Every image is embedded once for all its texts.
    """

    def logits_of(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        pixel_values: Tensor | None,
        pixel_mask: Tensor | None,
        **kwargs: Any,
    ) -> tuple[Tensor, Any]:
        images = self.encode_images(pixel_values, pixel_mask)
        body = self._fuse(*flat_texts(input_ids, attention_mask), *images, **kwargs)
        rows = input_ids.shape[0]  # len() is a constant in an export
        return self.rank_output(body.pooler_output).view(rows, -1), body

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
        """As :meth:`~skiptune.families.two_stream_ranking.RankHead.score`: the model above the embedding of patches."""
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
