"""Sizes of ``meter-photos`` and of its training."""

from __future__ import annotations

from dataclasses import dataclass

from ...families.meter import MeterConfig


@dataclass(frozen=True)
class PhotoConfig:
    """Sizes of the model and of its training.

    Attributes:
        pieces: number of word pieces kept of BERT's 30,522.
        text_layers, trained_text_layers: how many of MiniLM's six layers are kept, the lowest; how many of those are
            trained, the upper.
        text_length: tokens of a text at most.
        image_size: side of the images in pixels.
        image_layers, image_heads: Transformer layers above the convolutional stem, and their attention heads.
        width, fusion_layers, heads, mlp_width: sizes of each of the two fusion streams.
        views: cached views of every photo: as it is, mirrored, then random crops.
        scenes: number of generated scenes; every ``scene_every``-th step is on them.
        minutes: total training time; the learning rates follow it, and there are as many steps as fit.
        contrast_share: fraction of it for the first stage, in which only the contrast of the encoders is trained.
        learning_rate, text_rate: highest learning rates of randomly initialised weights and of MiniLM's layers.
        warmup: fraction of each stage in which learning rates rise.
        mask_share: fraction of the pieces of a caption that are masked.
        contrast_batch, batch_size: photos per step in the first and in the second stage.
        fused: rows per step for the fusion layers; as many false pairs are added.
        save_minutes: minutes between checkpoints.
    """

    pieces: int = 6900
    text_layers: int = 4
    trained_text_layers: int = 2
    text_length: int = 40
    image_size: int = 160
    image_layers: int = 2
    image_heads: int = 3
    width: int = 192
    fusion_layers: int = 6
    heads: int = 6
    mlp_width: int = 384
    views: int = 4
    scenes: int = 4000
    scene_every: int = 4
    minutes: float = 75.0
    contrast_share: float = 0.2
    contrast_batch: int = 128
    batch_size: int = 64
    fused: int = 32
    learning_rate: float = 6e-4
    text_rate: float = 5e-5
    weight_decay: float = 0.05
    warmup: float = 0.05
    mask_share: float = 0.25
    save_minutes: float = 5.0
    seed: int = 0

    def model_config(self, vocabulary: int, text_width: int, text_heads: int, text_mlp: int) -> MeterConfig:
        """METER's configuration; the sizes of the text encoder are MiniLM's."""
        text = {
            "vocab_size": vocabulary,
            "hidden_size": text_width,
            "num_hidden_layers": self.text_layers,
            "num_attention_heads": text_heads,
            "intermediate_size": text_mlp,
            "max_position_embeddings": self.text_length + 1,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "layer_norm_eps": 1e-12,
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 3,
        }
        vision = {
            "hidden_size": self.width,
            "num_hidden_layers": self.image_layers,
            "num_attention_heads": self.image_heads,
            "intermediate_size": 2 * self.width,
            "image_size": self.image_size,
            "patch_size": 32,
            "hidden_act": "gelu",
        }
        return MeterConfig(
            text_config=text,
            vision_config=vision,
            hidden_size=self.width,
            num_top_layers=self.fusion_layers,
            num_attention_heads=self.heads,
            intermediate_size=self.mlp_width,
            hidden_dropout_prob=0.0,
            image_size=self.image_size,
            max_text_length=self.text_length,
            vision_stem="efficientnet-lite0",
        )
