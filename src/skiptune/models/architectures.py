"""Architectures built with random weights: for costs, latencies and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..families.registry import family_of_type


@dataclass(frozen=True)
class Architecture:
    """A model without weights.

    Attributes:
        description: its line in ``skiptune models``.
        model_type: of its family.
        sizes: fields of the configuration that differ from transformers' defaults.
    """

    description: str
    model_type: str
    sizes: dict[str, object]

    def config(self) -> Any:
        """A new configuration."""
        return family_of_type(self.model_type, self.description).config_class(**self.sizes)


_TINY_TOWER = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
_TINY_WORDS = {"max_position_embeddings": 20}
_TINY_VISION = {**_TINY_TOWER, "hidden_size": 48, "num_hidden_layers": 4, "image_size": 48, "patch_size": 16}

_LLAMA_2 = {"model_type": "llama", "vocab_size": 32_064, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5}
_SMOLLM2_135M = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 100_000.0},
}

#: By name.
ARCHITECTURES = {
    "vilt-b32": Architecture(
        "ViLT-B/32 (12 blocks, 768 wide, 384 px, 32 px patches), random weights",
        "vilt",
        {"layer_norm_eps": 1e-6},
    ),
    "vilt-tiny": Architecture(
        "a ViLT of 4 blocks, 32 wide, random weights; for trying things out",
        "vilt",
        {
            "hidden_size": 32,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "image_size": 48,
            "patch_size": 16,
            "layer_norm_eps": 1e-6,
            "vocab_size": 509,
        },
    ),
    "meter-b16": Architecture(
        "METER (RoBERTa-base, 11 blocks of CLIP ViT-B/16, 6 + 6 fusion layers, 768 wide, 384 px), random weights",
        "meter",
        {"text_start": "token"},
    ),
    "meter-tiny": Architecture(
        "a METER of 2 + 2 encoder and 3 + 3 fusion layers, 32 wide, random weights; for trying things out",
        "meter",
        {
            "vision_config": {
                "hidden_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "intermediate_size": 64,
                "image_size": 32,
                "patch_size": 16,
            },
            "text_config": {
                "vocab_size": 261,
                "hidden_size": 40,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "intermediate_size": 64,
                "max_position_embeddings": 66,
            },
            "hidden_size": 32,
            "num_top_layers": 3,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "image_size": 48,
            "max_text_length": 64,
            "text_start": "token",
        },
    ),
    "bridgetower-base": Architecture(
        "BridgeTower-base (RoBERTa-base, CLIP ViT-B/16, 6 + 6 fusion layers, 768 wide, 288 px), random weights",
        "bridgetower",
        {},
    ),
    "bridgetower-tiny": Architecture(
        "a BridgeTower of 4 + 4 encoder and 3 + 3 fusion layers, 32 wide, random weights; for trying things out",
        "bridgetower",
        {
            "vision_config": {"hidden_size": 64, "num_hidden_layers": 4, "image_size": 48, "patch_size": 16},
            "text_config": {
                "vocab_size": 261,
                "hidden_size": 32,
                "num_hidden_layers": 4,
                "num_attention_heads": 2,
                "intermediate_size": 64,
                "max_position_embeddings": 66,
            },
            "hidden_size": 32,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
        },
    ),
    "clip-b32": Architecture(
        "CLIP ViT-B/32 (12 text layers, 512 wide, 12 image layers, 768 wide, 224 px), random weights",
        "clip",
        {},
    ),
    "clip-tiny": Architecture(
        "a CLIP of 3 text and 4 image layers, 32 and 48 wide, random weights; for trying things out",
        "clip",
        {
            "text_config": {**_TINY_TOWER, **_TINY_WORDS, "vocab_size": 514, "bos_token_id": 512, "eos_token_id": 513},
            "vision_config": _TINY_VISION,
            "projection_dim": 40,
        },
    ),
    "siglip-b16": Architecture(
        "SigLIP ViT-B/16 (12 text and 12 image layers, 768 wide, 224 px), random weights",
        "siglip",
        {"text_config": {"bos_token_id": 0, "eos_token_id": 2}},
    ),
    "siglip-tiny": Architecture(
        "a SigLIP of 3 text and 4 image layers, 32 and 48 wide, random weights; for trying things out",
        "siglip",
        {
            "text_config": {
                **_TINY_TOWER,
                **_TINY_WORDS,
                "vocab_size": 261,
                "bos_token_id": 0,
                "eos_token_id": 2,
                "projection_size": 48,
            },
            "vision_config": _TINY_VISION,
        },
    ),
    "smollm2-135m": Architecture(
        "SmolLM2-135M, a language model (30 layers, 576 wide), random weights",
        "llama",
        {**_SMOLLM2_135M, "vocab_size": 49_152, "tie_word_embeddings": True},
    ),
    "smolvlm-256m": Architecture(
        "SmolVLM-256M (SmolLM2-135M behind SigLIP ViT-B/16, 512 px in 64 tokens), random weights",
        "idefics3",
        {
            "text_config": {"model_type": "llama", **_SMOLLM2_135M, "vocab_size": 49_280},
            "vision_config": {
                "hidden_size": 768,
                "intermediate_size": 3072,
                "num_hidden_layers": 12,
                "num_attention_heads": 12,
                "image_size": 512,
                "patch_size": 16,
            },
            "scale_factor": 4,
            "image_token_id": 49_190,
            "tie_word_embeddings": False,
        },
    ),
    "llava-1.5-7b": Architecture(
        "LLaVA-1.5-7B (Vicuna: 32 layers, 4096 wide, behind CLIP ViT-L/14, 336 px in 576 tokens), random weights",
        "llava",
        {
            "text_config": _LLAMA_2,
            "vision_config": {
                "model_type": "clip_vision_model",
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 24,
                "num_attention_heads": 16,
                "image_size": 336,
                "patch_size": 14,
                "projection_dim": 768,
            },
            "image_token_index": 32_000,
        },
    ),
    "qwen2.5-vl-3b": Architecture(
        "Qwen2.5-VL-3B (36 layers, 2048 wide, behind a tower of 32 layers for images of any size), random weights",
        "qwen2_5_vl",
        {
            "text_config": {
                "hidden_size": 2048,
                "intermediate_size": 11_008,
                "num_hidden_layers": 36,
                "num_attention_heads": 16,
                "num_key_value_heads": 2,
                "vocab_size": 151_936,
                "max_position_embeddings": 128_000,
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 1_000_000.0,
                    "mrope_section": [16, 24, 24],
                },
            },
            "vision_config": {"hidden_size": 1280, "out_hidden_size": 2048},
            "tie_word_embeddings": True,
        },
    ),
}
