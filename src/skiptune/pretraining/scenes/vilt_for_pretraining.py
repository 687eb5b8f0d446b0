"""ViLT with its two pre-training heads: masked-language modelling and image-text matching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from transformers import ViltConfig, ViltModel
from transformers.models.vilt.modeling_vilt import ViltMLMHead, ViltPreTrainedModel
from transformers.utils import ModelOutput

from ...core.ignored_label import IGNORED
from ...families.vilt import skipping as family


@dataclass
class PretrainingOutput(ModelOutput):
    """Sum of both losses, MLM logits at the masked places ``(masked, vocabulary)``, matching logits ``(batch, 2)``."""

    loss: Tensor | None = None
    mlm_logits: Tensor | None = None
    itm_logits: Tensor | None = None


class ViltForPretraining(ViltPreTrainedModel):
    """One forward pass serves both objectives: rows with masked words count for MLM, the others for ITM."""

    _tied_weights_keys: ClassVar[dict[str, str]] = {
        "mlm_score.decoder.weight": "vilt.embeddings.text_embeddings.word_embeddings.weight"
    }

    def __init__(self, config: ViltConfig) -> None:
        super().__init__(config)
        self.vilt = ViltModel(config)
        self.mlm_score = ViltMLMHead(config)
        self.itm_score = nn.Linear(config.hidden_size, 2)
        self.post_init()
        family.adopt(self)

    def get_output_embeddings(self) -> nn.Module:
        decoder: nn.Module = self.mlm_score.decoder
        return decoder

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        pixel_values: Tensor,
        mlm_labels: Tensor,
        itm_labels: Tensor,
        **_: object,
    ) -> PretrainingOutput:
        """Losses of a batch.

        Args:
            input_ids: ``(batch, length)``, masked.
            attention_mask: ``(batch, length)``.
            pixel_values: ``(batch, 3, height, width)``.
            mlm_labels: ``(batch, length)``, token ids at masked places, :data:`IGNORED` elsewhere.
            itm_labels: ``(batch,)``, 1 where text and picture match, 0 where not, :data:`IGNORED` for MLM rows.
        """
        output = self.vilt(input_ids=input_ids, attention_mask=attention_mask, pixel_values=pixel_values)
        masked = mlm_labels != IGNORED
        mlm_logits = self.mlm_score(output.last_hidden_state[:, : input_ids.shape[1]][masked])
        itm_logits = self.itm_score(output.pooler_output)
        loss = itm_logits.sum() * 0.0
        if masked.any():
            loss = loss + nn.functional.cross_entropy(mlm_logits, mlm_labels[masked])
        if (itm_labels != IGNORED).any():
            loss = loss + nn.functional.cross_entropy(itm_logits, itm_labels, ignore_index=IGNORED)
        return PretrainingOutput(loss, mlm_logits, itm_logits)


@torch.inference_mode()
def accuracies(model: ViltForPretraining, batches: list[dict[str, Tensor]]) -> tuple[float, float]:
    """The shares of masked tokens and of matching pairs over ``batches`` that the model gets right: MLM, ITM."""
    model.eval()
    right, total = [0, 0], [0, 0]
    for batch in batches:
        output = model(**{key: value.to(model.device) for key, value in batch.items()})
        mlm_labels, itm_labels = batch["mlm_labels"].to(model.device), batch["itm_labels"].to(model.device)
        of_matching = itm_labels != IGNORED
        found = (
            (output.mlm_logits, mlm_labels[mlm_labels != IGNORED]),
            (output.itm_logits[of_matching], itm_labels[of_matching]),
        )
        for number, (logits, labels) in enumerate(found):
            right[number] += int((logits.argmax(-1) == labels).sum())
            total[number] += len(labels)
    mlm, itm = (correct / max(1, count) for correct, count in zip(right, total, strict=True))
    return mlm, itm
