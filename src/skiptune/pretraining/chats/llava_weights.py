"""Sizes and initial weights of ``llava-scenes``: its image tower starts from the first blocks of ``vilt-scenes``."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerBase,
)

from .chat_config import ChatConfig
from .chat_processor import IMAGE


def make_model(config: ChatConfig, tokenizer: PreTrainedTokenizerBase) -> LlavaForConditionalGeneration:
    """A model with random weights, drawn by fan-in as :func:`..scenes.pretrain_scenes.initialize` does."""
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 0}
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.width,
        intermediate_size=config.mlp_width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.length,
        tie_word_embeddings=True,
        **ids,
    )
    vision = CLIPVisionConfig(
        hidden_size=config.width,
        intermediate_size=config.tower_mlp_width,
        num_hidden_layers=config.tower_blocks,
        num_attention_heads=config.heads,
        image_size=config.image_size,
        patch_size=config.patch_size,
        hidden_act="relu",
        layer_norm_eps=1e-6,
        projection_dim=config.width,
    )
    whole = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=config.image_tokens,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
        **ids,
    )
    model = LlavaForConditionalGeneration(whole)
    model.generation_config = GenerationConfig(**ids, max_new_tokens=64)
    _draw(model)
    return model


@torch.no_grad()
def _draw(model: LlavaForConditionalGeneration) -> None:
    for module in model.modules():
        if isinstance(module, nn.Linear) and module is not model.lm_head:
            nn.init.normal_(module.weight, std=0.7 * module.in_features**-0.5)
    text = model.model.language_model
    nn.init.normal_(text.embed_tokens.weight, std=text.config.hidden_size**-0.5)
    for layer in text.layers:
        for branch in (layer.self_attn.o_proj, layer.mlp.down_proj):
            branch.weight.div_((2 * len(text.layers)) ** 0.5)


@torch.no_grad()
def copy_tower(model: LlavaForConditionalGeneration, folder: Path, pixels: Tensor) -> None:
    """Start the image tower from the first blocks of the ViLT in ``folder``, whose blocks are CLIP's.

    CLIP's patches have no bias: it is added to the positions, as is ViLT's embedding of the image modality. CLIP
    normalises what enters its first block, ViLT does not: the norm starts with the mean scale over ``pixels``
    ``(batch, 3, side, side)``.
    """
    vilt = {
        name.removeprefix("vilt."): value.float() for name, value in load_file(folder / "model.safetensors").items()
    }
    tower = model.model.vision_tower
    embeddings = tower.embeddings
    modality = vilt["embeddings.token_type_embeddings.weight"][1]
    positions = vilt["embeddings.position_embeddings"][0] + modality
    bias = vilt["embeddings.patch_embeddings.projection.bias"]
    embeddings.patch_embedding.weight.copy_(vilt["embeddings.patch_embeddings.projection.weight"])
    embeddings.class_embedding.copy_(vilt["embeddings.cls_token"][0, 0])
    embeddings.position_embedding.weight.copy_(torch.cat([positions[:1], positions[1:] + bias]))
    own = dict(tower.encoder.named_parameters())
    for name in own:
        own[name].copy_(_of_vilt(vilt, name))
    tower.pre_layrnorm.weight.fill_(embeddings(pixels).std(-1).mean())


_NAMES = {
    "layer_norm1": "layernorm_before",
    "layer_norm2": "layernorm_after",
    "self_attn.q_proj": "attention.attention.query",
    "self_attn.k_proj": "attention.attention.key",
    "self_attn.v_proj": "attention.attention.value",
    "self_attn.out_proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}


def _of_vilt(vilt: dict[str, Tensor], name: str) -> Tensor:
    """ViLT's weight for ``layers.3.mlp.fc1.weight`` of a CLIP encoder."""
    _, number, rest = name.split(".", 2)
    module, kind = rest.rsplit(".", 1)
    return vilt[f"encoder.layer.{number}.{_NAMES[module]}.{kind}"]
