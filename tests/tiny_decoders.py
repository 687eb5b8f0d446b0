"""Tiny decoders with random weights, of every family that has a row, by themselves and behind image towers."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, PreTrainedModel

from skiptune.costs.example_inputs import example_inputs
from skiptune.models.construction import construction

WORDS = 64
_SIZES: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
#: What the families' configurations need beyond their sizes.
_ALTERNATING = {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"] * 2}
TEXT: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 4},
    "qwen2": {},
    "qwen3": {},
    "gemma": {},
    "gemma2": _ALTERNATING,
    "gemma3_text": _ALTERNATING,
}


IMAGE, VIDEO = WORDS - 1, WORDS - 2
_TOWER: dict[str, Any] = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}
_QWEN_TOWER: dict[str, Any] = {"depth": 3, "num_heads": 2, "patch_size": 4, "hidden_size": 24, "intermediate_size": 32}
_ANY_SIZE = {"image_grid_pinpoints": [[16, 32], [32, 16], [32, 32]]}
#: PaliGemma's processor adds tokens for places in an image.
_LOCATIONS = {"vocab_size": WORDS + 1024 + 128}
_M_ROPE = {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}}


def _text(model_type: str, **more: Any) -> dict[str, Any]:
    return {"text_config": {"model_type": model_type, **_SIZES, **TEXT.get(model_type, {}), **more}}


def _tower(model_type: str | None = None, **more: Any) -> dict[str, Any]:
    kind = {} if model_type is None else {"model_type": model_type}
    return {"vision_config": {**kind, **_TOWER, **more}}


#: A tiny model of a family: its ``model_type``, and the fields of its configuration.
VLM: dict[str, tuple[str, dict[str, Any]]] = {
    "llava": ("llava", {**_text("llama"), **_tower("clip_vision_model")}),
    "llava_mistral": ("llava", {**_text("mistral"), **_tower("siglip_vision_model"), "vision_feature_layer": [1, -1]}),
    "llava_pixtral": (
        "llava",
        {
            **_text("mistral"),
            **_tower("pixtral", head_dim=12),
            "vision_feature_layer": -1,
            "vision_feature_select_strategy": "full",
        },
    ),
    "llava_next": ("llava_next", {**_text("mistral"), **_tower("clip_vision_model"), **_ANY_SIZE}),
    "llava_onevision": ("llava_onevision", {**_text("qwen2"), **_tower("siglip_vision_model"), **_ANY_SIZE}),
    "smolvlm": ("smolvlm", {**_text("llama"), **_tower()}),
    "idefics3": ("idefics3", {**_text("llama"), **_tower()}),
    "qwen2_vl": (
        "qwen2_vl",
        {
            "text_config": {**_SIZES, **_M_ROPE},
            "vision_config": {**_QWEN_TOWER, "hidden_size": 32, "embed_dim": 24, "mlp_ratio": 2},
        },
    ),
    "qwen2_5_vl": (
        "qwen2_5_vl",
        {
            "text_config": {**_SIZES, **_M_ROPE},
            "vision_config": {
                **_QWEN_TOWER,
                "out_hidden_size": 32,
                "window_size": 16,
                "fullatt_block_indexes": [1],
            },
        },
    ),
    "qwen3_vl": (
        "qwen3_vl",
        {
            "text_config": {**_SIZES, **_M_ROPE},
            "vision_config": {
                **_QWEN_TOWER,
                "out_hidden_size": 32,
                "num_position_embeddings": 16,
                "deepstack_visual_indexes": [0, 1],
            },
        },
    ),
    "paligemma": ("paligemma", {**_text("gemma", **_LOCATIONS), **_tower("siglip_vision_model"), "projection_dim": 32}),
    "paligemma2": (
        "paligemma",
        {**_text("gemma2", **_LOCATIONS), **_tower("siglip_vision_model"), "projection_dim": 32},
    ),
    "gemma3": ("gemma3", {**_text("gemma3_text"), **_tower("siglip_vision_model"), "mm_tokens_per_image": 4}),
    "internvl": ("internvl", {**_text("qwen2"), **_tower("internvl_vision", image_size=[16, 16], patch_size=[4, 4])}),
}


def vlm_config(name: str) -> Any:
    """The configuration of a tiny vision-language model."""
    model_type, fields = VLM[name]
    image = {"image_token_index": IMAGE, "image_token_id": IMAGE, "video_token_index": VIDEO, "video_token_id": VIDEO}
    kind = type(AutoConfig.for_model(model_type))
    ours = {field: value for field, value in image.items() if field in kind.__dataclass_fields__}
    return AutoConfig.for_model(model_type, **fields, **ours)


def vlm(name: str) -> PreTrainedModel:
    """A vision-language model, in evaluation mode; always the same weights."""
    return copy.deepcopy(_made_vlm(name))


@cache
def _made_vlm(name: str) -> PreTrainedModel:
    with construction(seed=0):
        model: PreTrainedModel = AutoModelForImageTextToText.from_config(vlm_config(name)).eval()
    return roughened(model)


def text_config(name: str) -> Any:
    """The configuration of a family's tiny language model."""
    return AutoConfig.for_model(name, **{**_SIZES, **TEXT[name]})


def text_decoder(name: str) -> PreTrainedModel:
    """A language model of a family, in evaluation mode; always the same weights."""
    return copy.deepcopy(_made_text_decoder(name))


@cache
def _made_text_decoder(name: str) -> PreTrainedModel:
    with construction(seed=0):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(text_config(name)).eval()
    return roughened(model)


def roughened(model: PreTrainedModel) -> PreTrainedModel:
    """The model with noise on all parameters, in place: fresh ones are zero or one in part, and hide faults."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


@cache
def padded_text() -> dict[str, Tensor]:
    """Two texts of nine tokens, the first with three of padding on its left."""
    ids = torch.randint(3, WORDS, (2, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    return {"input_ids": ids, "attention_mask": mask}


@cache
def padded_pairs(name: str) -> dict[str, Tensor]:
    """Two images and texts for a model of :data:`VLM`, the first with three tokens of padding on its left."""
    model = vlm(name)
    inputs = example_inputs(model, (16, 16), text_length=6, batch=2)
    longer = {"input_ids": 3, "attention_mask": 1, "token_type_ids": 0, "mm_token_type_ids": 0}
    for argument in longer.keys() & inputs.keys():
        padded, whole = inputs[argument]
        inputs[argument] = torch.stack((pad(padded, (3, 0)), pad(whole, (0, 3), value=longer[argument])))
    return inputs


def one_of(inputs: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    """One example of :func:`padded_pairs` or :func:`padded_text` without its padding."""
    patches = len(inputs.get("pixel_values", ())) // 2  # of Qwen's images, in one row
    mask = inputs["attention_mask"][number].bool()
    taken = {}
    for name, value in inputs.items():
        each = patches if name == "pixel_values" else 1
        taken[name] = value[number * each : (number + 1) * each]
        if value.shape == inputs["input_ids"].shape and name != "pixel_values":
            taken[name] = taken[name][:, mask]
    return taken


def generated(model: Any, inputs: dict[str, Tensor], cached: bool, steps: int = 3, **options: Any) -> Tensor:
    """Logits of greedy steps, ``(steps, batch, words)``."""
    found = model.generate(
        **inputs,
        max_new_tokens=steps,
        min_new_tokens=steps,
        do_sample=False,
        suppress_tokens=[IMAGE, VIDEO],
        use_cache=cached,
        output_logits=True,
        return_dict_in_generate=True,
        **options,
    )
    return torch.stack(found.logits)


def some_sets(names: list[str]) -> list[list[str]]:
    """Nothing, the first, the last, each kind of attention, all but the ends."""
    return [[], names[:1], names[-1:], names[::2], names[1::2], names[1:-1]]
