"""The image tower of ``smol-photos``: the image encoder of ``meter-photos``, behind LLaVA's projector.

EfficientNet-Lite0 sees patches of 32 × 32 pixels; two CLIP layers above it let them exchange what they see
(:mod:`skiptune.families.meter.stem`). A token is both: the CLIP layers' output, which was trained on captions, and the
convolutions' own last features, which were trained on ImageNet's classes. transformers'
``LlavaForConditionalGeneration`` makes this tower like any other, once this module is imported.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, CLIPVisionConfig, CLIPVisionModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from ..meter.stem import HEAD, STRIDE, ConvolutionalStem


class PhotoTowerConfig(PreTrainedConfig):
    """Sizes of the tower.

    Attributes:
        encoder_width, intermediate_size, num_hidden_layers, num_attention_heads: of the CLIP layers.
        image_size: side of the square images in pixels.
        patch_size: side of a patch in pixels, always 32.
        hidden_size: of a token: ``encoder_width`` and the 1280 features of the convolutions.
    """

    model_type = "photo_tower"
    base_config_key = "vision_config"

    encoder_width: int = 192
    intermediate_size: int = 384
    num_hidden_layers: int = 2
    num_attention_heads: int = 3
    image_size: int = 160
    patch_size: int = STRIDE
    hidden_size: int = 192 + HEAD
    initializer_range: float = 0.02

    def clip(self) -> CLIPVisionConfig:
        """The configuration of the CLIP layers."""
        return CLIPVisionConfig(
            hidden_size=self.encoder_width,
            intermediate_size=self.intermediate_size,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            image_size=self.image_size,
            patch_size=self.patch_size,
            hidden_act="gelu",
        )


class PhotoTower(PreTrainedModel):
    """The tower; its weights are named as in ``meter-photos``."""

    config_class = PhotoTowerConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def __init__(self, config: PhotoTowerConfig) -> None:
        super().__init__(config)
        self.clip = CLIPVisionModel(config.clip())
        self.clip.embeddings.patch_embedding = ConvolutionalStem(config.encoder_width)
        self.post_init()

    @property
    def embeddings(self) -> nn.Module:
        """What makes the first stream, as CLIP towers call it; it has a class token."""
        found: nn.Module = self.clip.embeddings
        return found

    def forward(self, pixel_values: Tensor, **unused: Any) -> BaseModelOutputWithPooling:
        """``(images, 3, side, side)`` to ``(images, 1 + patches, hidden_size)``, the class token first, as CLIP has it.

        There is one hidden state, the output.
        """
        kept: list[Tensor] = []
        stem: Any = self.clip.embeddings.patch_embedding
        with stem.head.register_forward_hook(lambda module, given, output: kept.append(output)):
            hidden = self.clip(pixel_values=pixel_values, interpolate_pos_encoding=True).last_hidden_state
        seen = nn.functional.relu6(kept[0]).flatten(2).transpose(1, 2)
        seen = torch.cat((seen.mean(1, keepdim=True), seen), dim=1)
        output = torch.cat((self.clip.post_layernorm(hidden), seen.to(hidden)), dim=-1)
        return BaseModelOutputWithPooling(last_hidden_state=output, pooler_output=output[:, 0], hidden_states=(output,))


AutoConfig.register(PhotoTowerConfig.model_type, PhotoTowerConfig, exist_ok=True)
AutoModel.register(PhotoTowerConfig, PhotoTower, exist_ok=True)
