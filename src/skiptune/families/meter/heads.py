"""METER with the heads of four tasks. The names of their layers are those of transformers' ViLT classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers.utils import ModelOutput

from ...errors import InputError
from .configuration import MeterConfig
from .modeling import MeterModel, MeterOutput, MeterPreTrainedModel


@dataclass
class MeterTaskOutput(ModelOutput):
    """What the classes of this file return.

    Attributes:
        loss: a number, if labels were given.
        logits: ``(batch, labels)``.
        text_hidden_states, image_hidden_states: as in :class:`MeterOutput`; NLVR2: those of the first image's pass.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    text_hidden_states: tuple[Tensor, ...] | None = None
    image_hidden_states: tuple[Tensor, ...] | None = None


def _classifier(inputs: int, width: int, labels: int) -> nn.Sequential:
    """Two layers, as the original's heads have them (LayerNorm epsilon 1e-5)."""
    return nn.Sequential(nn.Linear(inputs, width), nn.LayerNorm(width), nn.GELU(), nn.Linear(width, labels))


def _output(logits: Tensor, loss: Tensor | None, body: MeterOutput) -> MeterTaskOutput:
    return MeterTaskOutput(
        loss=loss,
        logits=logits,
        text_hidden_states=body.text_hidden_states,
        image_hidden_states=body.image_hidden_states,
    )


class MeterForQuestionAnswering(MeterPreTrainedModel):
    """A classifier over ``config.num_labels`` answers, with soft scores."""

    def __init__(self, config: MeterConfig) -> None:
        super().__init__(config)
        self.meter = MeterModel(config)
        self.classifier = _classifier(2 * config.hidden_size, 2 * config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
    ) -> MeterTaskOutput:
        """Answer one question an image; inputs as in :meth:`MeterModel.forward`.

        ``labels``: scores in [0, 1], ``(batch, answers)``; the loss is the binary cross-entropy, summed over answers
        and averaged over the batch.
        """
        body = self.meter(input_ids, attention_mask, pixel_values, output_hidden_states=output_hidden_states)
        logits = self.classifier(body.pooler_output)
        loss = None
        if labels is not None:
            loss = binary_cross_entropy_with_logits(logits, labels.to(logits)) * labels.shape[1]
        return _output(logits, loss, body)


class MeterForVisualEntailment(MeterPreTrainedModel):
    """A classifier over ``config.num_labels`` classes, three for SNLI-VE."""

    def __init__(self, config: MeterConfig) -> None:
        super().__init__(config)
        self.meter = MeterModel(config)
        self.classifier = _classifier(2 * config.hidden_size, 2 * config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
    ) -> MeterTaskOutput:
        """Classify one statement an image. ``labels``: class numbers ``(batch,)``; the loss is cross-entropy."""
        body = self.meter(input_ids, attention_mask, pixel_values, output_hidden_states=output_hidden_states)
        logits = self.classifier(body.pooler_output)
        return _output(logits, None if labels is None else cross_entropy(logits, labels), body)


class MeterForVisualReasoning(MeterPreTrainedModel):
    """NLVR2: is a statement true of two images? One pass an image, pooled outputs side by side, two layers.

    Raises:
        InputError: the configuration has no third token-type row, for the second image.
    """

    def __init__(self, config: MeterConfig) -> None:
        super().__init__(config)
        if config.modality_type_vocab_size < 3:
            raise InputError(
                f"modality_type_vocab_size: {config.modality_type_vocab_size}; the second image needs a third row"
            )
        self.meter = MeterModel(config)
        self.classifier = _classifier(4 * config.hidden_size, 2 * config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
    ) -> MeterTaskOutput:
        """Judge one statement a pair of images.

        Args:
            input_ids: ``(batch, tokens)``.
            attention_mask: ``(batch, tokens)``.
            pixel_values: ``(batch, 2, channels, height, width)``.
            labels: class numbers ``(batch,)``; the loss is cross-entropy.
            output_hidden_states: also return the streams of the first pass.

        Raises:
            InputError: not two images a statement.
        """
        if pixel_values is None or pixel_values.ndim != 5 or pixel_values.shape[1] != 2:
            shape = None if pixel_values is None else tuple(pixel_values.shape)
            raise InputError(f"pixel_values: {shape}; NLVR2 needs two images, (batch, 2, channels, height, width)")
        passes = [
            self.meter(input_ids, attention_mask, pixel_values[:, number], number + 1, output_hidden_states)
            for number in range(2)
        ]
        logits = self.classifier(torch.cat([body.pooler_output for body in passes], dim=-1))
        return _output(logits, None if labels is None else cross_entropy(logits, labels), passes[0])


class MeterForImageAndTextRetrieval(MeterPreTrainedModel):
    """How well texts and images go together: one number a pair, compared between the texts of an image."""

    def __init__(self, config: MeterConfig) -> None:
        super().__init__(config)
        self.meter = MeterModel(config)
        self.rank_output = nn.Linear(2 * config.hidden_size, 1)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
    ) -> MeterTaskOutput:
        """Score pairs.

        Args:
            input_ids: ``(batch, tokens)``, or several texts an image, ``(batch, texts, tokens)``.
            attention_mask: the same shape.
            pixel_values: ``(batch, channels, height, width)``; every image is encoded once.
            labels: which text is the true one, ``(batch,)``; the loss is cross-entropy over an image's texts.
            output_hidden_states: also return the streams, ``(batch · texts, …)``.

        Returns:
            ``logits`` ``(batch, texts)``; ``(batch, 1)`` for one text an image.
        """
        rows = len(input_ids)
        texts = input_ids.flatten(0, -2)
        mask = None if attention_mask is None else attention_mask.flatten(0, -2)
        body = self.meter(texts, mask, pixel_values, output_hidden_states=output_hidden_states)
        logits = self.rank_output(body.pooler_output).view(rows, -1)
        return _output(logits, None if labels is None else cross_entropy(logits, labels), body)
