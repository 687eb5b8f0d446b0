"""The authors' LaVIN models, for texts (``lavin_pl``) and for images too (``lavin_mm``), as LLaMA with our adapters."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, embedding, layer_norm, linear, multi_head_attention_forward, silu
from transformers import LlamaConfig, LlamaForCausalLM

from golden_decoders import Golden, beneath, hidden_first_token, renamed
from skiptune import SkipConfig, insert
from skiptune.layers.input_adapters import LavinRouter

NAMES = {
    "tok_embeddings.": "model.embed_tokens.",
    "output.": "lm_head.",
    "layers.": "model.layers.",
    ".attention.w": ".self_attn.w",
    "attn.wq": "attn.q_proj",
    "attn.wk": "attn.k_proj",
    "attn.wv": "attn.v_proj",
    "attn.wo": "attn.o_proj",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
}
ADAPTERS = {
    "adapter_attn.": "block_adapters.0.",
    "replaced_adapter.": "skip_adapter.",
    "down_sampler": "down",
    "up_sampler": "up",
    "conv_A": "down",
    "conv_B": "experts.0",
    "conv_D": "experts.1",
    "expert_weights": "router",
}


@cache
def lavin(kind: str, adapters: bool = True) -> Any:
    """The decoder; without ``adapters`` nothing can be learnt, and skipping is the identity."""
    golden = Golden(kind)
    model = LlamaForCausalLM(_sizes(golden)).eval()
    config = _adapters(golden) if adapters else SkipConfig(block_adapter="none")
    insert(model, config)
    model.load_state_dict(_state(golden, adapters), strict=True)
    return model


def _sizes(golden: Golden) -> LlamaConfig:
    model, state = golden.config["model"], golden.tensors("state_dict")
    return LlamaConfig(
        vocab_size=model["vocab_size"],
        hidden_size=model["dim"],
        intermediate_size=len(state["layers.0.feed_forward.w1.weight"]),
        num_hidden_layers=model["n_layers"],
        num_attention_heads=model["n_heads"],
        rms_norm_eps=model["norm_eps"],
    )


def _adapters(golden: Golden) -> SkipConfig:
    own, routed = golden.config["adapter"], golden.kind == "lavin_mm"
    narrow = golden.tensors("state_dict")[f"layers.0.replaced_adapter.{'conv_A' if routed else 'down_sampler'}.bias"]
    return SkipConfig.lavin(router=routed).replace(
        block_width=own["dim"],
        skip_width=len(narrow),
        adapter_scale=own["s"],
        **({"router_temperature": own["t"]} if routed else {}),
    )


def _state(golden: Golden, adapters: bool) -> dict[str, Tensor]:
    """Weights by our names; queries and keys turn the halves of a head, not neighbouring numbers."""
    heads = golden.config["model"]["n_heads"]
    state = {}
    for name, tensor in golden.tensors("state_dict").items():
        if name == "scores" or name.startswith(("adapter_", "backbone.")) or ("adapter" in name and not adapters):
            continue
        if name.endswith(("wq.weight", "wk.weight")):
            width = len(tensor)
            tensor = tensor.view(heads, -1, 2, width).transpose(1, 2).reshape(width, width)
        state["model.norm.weight" if name == "norm.weight" else name] = tensor
    return renamed(state, {**NAMES, **ADAPTERS})


def sequence(golden: Golden, part: str = "", rows: Any = slice(None), adapters: bool = True) -> dict[str, Tensor]:
    """Arguments of the decoder for the rows of a batch: ``part`` is ``train0_`` …, ``val_`` or nothing."""
    given, tokens = golden.tensors("inputs"), golden.tensors("inputs")[f"{part}examples"][rows]
    if golden.kind == "lavin_pl":
        return {"input_ids": tokens, "labels": given[f"{part}labels"][rows]}
    shown = given[f"{part}img_indicators"][rows]
    images = image_embeds(golden, image_features(golden, given[f"{part}images"][rows], adapters))
    labels = given[f"{part}labels"][rows]
    whole = [_with_image(golden, *row) for row in zip(tokens, labels, shown, images, strict=True)]
    streams, targets = (torch.stack([row[which][: tokens.shape[1]] for row in whole]) for which in (0, 1))
    return {
        "inputs_embeds": streams,
        "attention_mask": hidden_first_token(tokens.shape[1], len(tokens)),
        "labels": targets,
    }


def prompt(golden: Golden, shown: bool) -> Tensor:
    """The stream that generation begins with, ``(1, tokens, width)``; ``shown``: with its image."""
    state, config = golden.tensors("state_dict"), golden.config
    ids = torch.tensor(config["generation"]["prompt"])
    if golden.kind == "lavin_pl":
        return embedding(ids, state["tok_embeddings.weight"])[None]
    image = image_embeds(golden, image_features(golden, golden.tensors("inputs")["generation_image"]))[0]
    return _with_image(golden, ids, torch.zeros_like(ids), torch.tensor(int(shown)), image)[0][None]


def _with_image(golden: Golden, tokens: Tensor, labels: Tensor, shown: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """One stream: modality, first token, prefix, image, the other tokens; and its labels."""
    given, state = golden.tensors("inputs"), golden.tensors("state_dict")
    words = embedding(tokens, state["tok_embeddings.weight"])
    prefix = embedding(given["prefix_img" if shown else "prefix_nonimg"], state["tok_embeddings.weight"])
    modality = state["adapter_modality_embedding.weight"][shown][None]
    between = torch.cat((prefix, image) if shown else (prefix,))
    nothing = labels.new_zeros
    stream = torch.cat((modality, words[:1], between, words[1:]))
    return stream, torch.cat((nothing(1), labels[:1], nothing(len(between)), labels[1:]))


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The authors' loss, of a batch."""
    return cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=0)


def image_features(golden: Golden, images: Tensor, adapters: bool = True) -> Tensor:
    """The authors' tower: CLIP with routed adapters before attention and feed-forward network; the class token after
    every fourth block. It mixes experts by the first image of a batch."""
    vision = golden.config["vision"]
    state = beneath(golden.tensors("state_dict"), "backbone.visual.")
    if not adapters:
        state = {name: each for name, each in state.items() if ".adapter_" not in name}
    patches = (
        torch.nn.functional.conv2d(images, state["conv1.weight"], stride=vision["patch"]).flatten(2).transpose(1, 2)
    )
    x = torch.cat((state["class_embedding"].expand(len(images), 1, -1), patches), 1) + state["positional_embedding"]
    x = _normed(x, state, "ln_pre").transpose(0, 1)
    found = []
    for number in range(vision["layers"]):
        x = _tower_block(beneath(state, f"transformer.resblocks.{number}."), x, golden)
        if number % 4 == 3:
            found.append(x[0])
    return torch.stack(found, 1)


def _tower_block(state: dict[str, Tensor], x: Tensor, golden: Golden) -> Tensor:
    """``x``: ``(tokens, batch, width)``."""
    own, heads = golden.config["adapter"], golden.config["vision"]["heads"]

    def read(part: str, z: Tensor) -> Tensor:
        """``z + A(z)``; the adapter takes tokens for a batch, so that the first image decides for each token."""
        weights = beneath(state, f"{part}.")
        if not weights:
            return z
        adapter = LavinRouter(x.shape[-1], len(weights["conv_A.bias"]), own["s"], own["t"]).eval()
        adapter.load_state_dict(renamed(weights, ADAPTERS))
        return z + adapter(z)

    z = read("adapter_attn", _normed(x, state, "ln_1"))
    attended, _ = multi_head_attention_forward(
        z, z, z, x.shape[-1], heads, state["attn.in_proj_weight"], state["attn.in_proj_bias"], None, None, False, 0.0,
        state["attn.out_proj.weight"], state["attn.out_proj.bias"], training=False, need_weights=False,
    )  # fmt: skip
    x = x + attended
    z = read("adapter_mlp", _normed(x, state, "ln_2"))
    wide = linear(z, state["mlp.c_fc.weight"], state["mlp.c_fc.bias"])
    return x + linear(wide * torch.sigmoid(1.702 * wide), state["mlp.c_proj.weight"], state["mlp.c_proj.bias"])


def _normed(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    return layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def image_embeds(golden: Golden, features: Tensor) -> Tensor:
    """``conv_B silu(conv_A f)``."""
    state = golden.tensors("state_dict")
    narrow = silu(linear(features, state["adapter_proj.conv_A.weight"], state["adapter_proj.conv_A.bias"]))
    return linear(narrow, state["adapter_proj.conv_B.weight"], state["adapter_proj.conv_B.bias"])
