"""Architectures built with random weights: for costs, latencies and tests."""

from __future__ import annotations

from typing import Any

from transformers import BridgeTowerConfig, ViltConfig

from ..families.meter import MeterConfig

#: Architectures built with random weights: for costs, latencies and tests.
ARCHITECTURES: dict[str, tuple[str, type[Any], dict[str, Any]]] = {
    "vilt-b32": (
        "ViLT-B/32 (12 blocks, 768 wide, 384 px, 32 px patches), random weights",
        ViltConfig,
        {"layer_norm_eps": 1e-6},
    ),
    "vilt-tiny": (
        "a ViLT of 4 blocks, 32 wide, random weights; for trying things out",
        ViltConfig,
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
    "meter-b16": (
        "METER (RoBERTa-base, 11 blocks of CLIP ViT-B/16, 6 + 6 fusion layers, 768 wide, 384 px), random weights",
        MeterConfig,
        {"text_start": "token"},
    ),
    "meter-tiny": (
        "a METER of 2 + 2 encoder and 3 + 3 fusion layers, 32 wide, random weights; for trying things out",
        MeterConfig,
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
    "bridgetower-base": (
        "BridgeTower-base (RoBERTa-base, CLIP ViT-B/16, 6 + 6 fusion layers, 768 wide, 288 px), random weights",
        BridgeTowerConfig,
        {},
    ),
    "bridgetower-tiny": (
        "a BridgeTower of 4 + 4 encoder and 3 + 3 fusion layers, 32 wide, random weights; for trying things out",
        BridgeTowerConfig,
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
}
