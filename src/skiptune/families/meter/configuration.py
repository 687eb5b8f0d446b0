"""Sizes of a METER model: two encoders with configurations of their own, and the fusion layers above them."""

from __future__ import annotations

from typing import Any

from transformers import CLIPVisionConfig, PreTrainedConfig, RobertaConfig
from transformers.configuration_utils import SubConfigSpec

from ...core.validation import Problems, is_number, nearest
from .stem import STRIDE

_TEXT_STARTS = ("roberta", "token")
_VISION_STEMS = ("patches", "efficientnet-lite0")

#: CLIP ViT-B/16 without its last block, and RoBERTa-base.
_VISION = {"num_hidden_layers": 11, "patch_size": 16}
_TEXT = {
    "vocab_size": 50265,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}


class MeterConfig(PreTrainedConfig):
    """Configuration of all METER classes. Defaults: RoBERTa-base and CLIP ViT-B/16 at 384 pixels.

    Attributes:
        vision_config: transformers' CLIP vision configuration. ``num_hidden_layers`` counts the blocks METER keeps, one
            fewer than the CLIP checkpoint has; ``image_size`` is that of its position table.
        text_config: transformers' RoBERTa configuration.
        hidden_size: width of both fusion streams.
        num_top_layers: fusion layers per modality.
        num_attention_heads, intermediate_size, hidden_dropout_prob, layer_norm_eps: of the fusion layers.
        image_size: side of the square images in pixels; positions are interpolated to it.
        max_text_length: longest text in tokens, special ones included.
        modality_type_vocab_size: rows of the token-type table: text, image, second image (NLVR2).
        text_start: ``roberta``: the text stream starts with RoBERTa's own output, as in the original METER; ``token``:
            a trained vector overwrites its first position after the projection, as in the released DAS code.
        vision_stem: first layers of the image encoder. ``patches``: one linear map per patch, as in CLIP;
            ``efficientnet-lite0``: a small convolutional network, see :mod:`.stem`, with patches of 32 pixels.
        matching_loss: whether a retrieval model has the head for image-text matching, whose loss is added to its own.
        contrast_scale: for encoders that were pre-trained contrastively. A retrieval model adds this times the cosine
            of the text's and the image's vectors to the score of the fusion, and an evaluation can shortlist by the
            cosine. ``None``: encoder outputs cannot be compared, as in the original METER.

    Raises:
        InputError: an unknown ``text_start``, or sizes that do not go together; all problems in one message.
    """

    model_type = "meter"
    sub_configs_defaults = {  # noqa: RUF012
        "vision_config": SubConfigSpec(CLIPVisionConfig),
        "text_config": SubConfigSpec(RobertaConfig),
    }

    vision_config: Any = None
    text_config: Any = None
    hidden_size: int = 768
    num_top_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_dropout_prob: float = 0.1
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    image_size: int = 384
    max_text_length: int = 50
    modality_type_vocab_size: int = 3
    text_start: str = "roberta"
    vision_stem: str = "patches"
    matching_loss: bool = False
    contrast_scale: float | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if not isinstance(self.vision_config, PreTrainedConfig):
            self.vision_config = CLIPVisionConfig(**{**_VISION, **(self.vision_config or {})})
        if not isinstance(self.text_config, PreTrainedConfig):
            self.text_config = RobertaConfig(**{**_TEXT, **(self.text_config or {})})
        super().__post_init__(**kwargs)
        self._check()

    def _check(self) -> None:
        problems = Problems("MeterConfig is not valid")
        start, width, heads = self.text_start, self.hidden_size, self.num_attention_heads
        problems.check(start in _TEXT_STARTS, f"text_start: {start!r}{nearest(str(start), _TEXT_STARTS)}")
        stem, patch = self.vision_stem, self.vision_config.patch_size
        problems.check(stem in _VISION_STEMS, f"vision_stem: {stem!r}{nearest(str(stem), _VISION_STEMS)}")
        problems.check(
            stem != "efficientnet-lite0" or (patch == STRIDE and self.image_size % STRIDE == 0),
            f"vision_stem: {stem} has patches of {STRIDE} pixels; patch_size={patch}, image_size={self.image_size}",
        )
        problems.check(width % heads == 0, f"hidden_size: {width} is not a multiple of num_attention_heads={heads}")
        # RoBERTa counts positions from the one after its padding index
        longest = self.text_config.max_position_embeddings - self.text_config.pad_token_id - 1
        problems.check(
            2 <= self.max_text_length <= longest,
            f"max_text_length: {self.max_text_length} is not in [2, {longest}], which RoBERTa has positions for",
        )
        scale = self.contrast_scale
        problems.check(scale is None or is_number(scale, 0), f"contrast_scale: {scale!r} is not a number of at least 0")
        types = self.modality_type_vocab_size
        problems.check(types >= 2, f"modality_type_vocab_size: {types}; text and image need a row each")
        problems.raise_any()
