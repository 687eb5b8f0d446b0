"""METER with the heads of all tasks."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...core.errors import InputError
from ..head_inputs import Encoded, for_each_text, refuse_padding
from ..two_stream_classifiers import (
    ClassificationHead,
    QuestionAnsweringHead,
    VisualEntailmentHead,
    VisualReasoningHead,
)
from ..two_stream_head import Fused, Inputs
from ..two_stream_ranking import RankHead
from .configuration import MeterConfig
from .modeling import MeterModel, MeterPreTrainedModel


class MeterTask(MeterPreTrainedModel):
    """METER as the body of a model with a head."""

    def __init__(self, config: MeterConfig) -> None:
        super().__init__(config)
        self.meter = MeterModel(config)

    @property
    def pooled_width(self) -> int:
        """Of what ``fuse`` pools."""
        return 2 * int(self.config.hidden_size)

    def fuse(self, inputs: Inputs, image_number: int) -> Fused:
        """Run the body; inputs as in :meth:`MeterModel.forward`."""
        texts, mask, pixels, keep = inputs
        return self.fused(self.meter(texts, mask, pixels, image_number + 1, keep), mask)

    def fused(self, body: Any, attention_mask: Tensor | None) -> Fused:
        """The fields of a :class:`MeterOutput` that heads read; the mask is that of its texts."""
        return Fused(body.pooler_output, body.text_hidden_states, body.image_hidden_states)


class MeterForQuestionAnswering(QuestionAnsweringHead, MeterTask):
    """A classifier over ``config.num_labels`` answers, with soft scores."""


class MeterForVisualEntailment(VisualEntailmentHead, MeterTask):
    """A classifier over ``config.num_labels`` classes, three for SNLI-VE."""


class MeterForClassification(ClassificationHead, MeterTask):
    """A classifier over ``config.num_labels`` classes of one or several labels, or one number."""


class MeterForVisualReasoning(VisualReasoningHead, MeterTask):
    """NLVR2: is a statement true of two images?

    Raises:
        InputError: the configuration has no third token-type row, for the second image.
    """

    def __init__(self, config: MeterConfig) -> None:
        if config.modality_type_vocab_size < 3:
            raise InputError(
                f"modality_type_vocab_size: {config.modality_type_vocab_size}; the second image needs a third row"
            )
        super().__init__(config)


class MeterForImageAndTextRetrieval(RankHead, MeterTask):
    """Image-text retrieval: one score per pair, compared between the texts of an image."""

    _keys_to_ignore_on_load_unexpected = ("token4classifier", r"^matching\.")  # of a checkpoint, if it is not wanted

    def encode_texts(self, input_ids: Tensor, attention_mask: Tensor) -> Encoded:
        """RoBERTa's output ``(texts, tokens, width)`` and the mask; arguments ``(texts, tokens)``."""
        return self.meter.encode_text(input_ids, attention_mask), attention_mask

    def encode_images(self, pixel_values: Tensor, pixel_mask: Tensor | None = None) -> Encoded:
        """CLIP's output ``(images, 1 + patches, width)``, with sizes where fewer patches go on, see
        :meth:`MeterModel.encode_patches`; arguments as in :meth:`forward`."""
        refuse_padding(pixel_mask)
        return self.meter.encode_patches(pixel_values)

    def fuse_encoded(self, texts: Encoded, images: Encoded) -> Fused:
        """As :meth:`fuse`, from encoder outputs."""
        encoded, mask = texts
        return self.fused(self.meter.fuse(encoded, images, mask), mask)

    @property
    def comparable(self) -> bool:  # type: ignore[override]
        """Whether the encoders were pre-trained contrastively."""
        return self.config.contrast_scale is not None

    def text_vectors(self, texts: Encoded) -> Tensor:
        """``(texts, width)``, of length 1."""
        return self.meter.text_vector(*texts)

    def image_vectors(self, images: Encoded) -> Tensor:
        """``(images, width)``, of length 1."""
        return self.meter.image_vector(*images)

    def fused(self, body: Any, attention_mask: Tensor | None) -> Fused:
        """As that of the body, with ``closeness``, the scaled cosine of every text and its image, if they compare."""
        fused = super().fused(body, attention_mask)
        if self.comparable:
            texts = self.meter.text_vector(body.text_encoder_output, attention_mask)
            images = self.meter.image_vector(body.image_encoder_output, body.image_sizes)
            share = texts.shape[0] // images.shape[0]
            fused.closeness = self.config.contrast_scale * (texts * for_each_text(images, share)).sum(-1)
        return fused
