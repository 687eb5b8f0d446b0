"""Models of ``benchmarks/gpu.py``: random weights, made on the device, and slim forms that share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

import skiptune as st
from skiptune.costs.block_costs import passes_of
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.generation import generates
from skiptune.costs.macs import plan_counter
from skiptune.families.registry import family_of
from skiptune.inserting.pruning import prune
from skiptune.inserting.selection import blocks_of
from skiptune.models.construction import construction
from skiptune.models.shared_copy import shared_copy
from tokens_throughput import largest_share, schedule

ANSWERS = 3129
#: Share of the image tokens that goes on where no larger one saves as much as is wanted.
LEAST = 0.02


@dataclass(frozen=True)
class Case:
    """What is measured of one model.

    Attributes:
        name: of the architecture; ``llava-1b``: made here.
        image: height and width in pixels.
        text: tokens of text.
        scope: which blocks can be skipped.
    """

    name: str
    image: tuple[int, int]
    text: int
    scope: str = "fusion"


CASES = {
    "vilt": Case("vilt-b32", (384, 640), 40),
    "meter": Case("meter-b16", (384, 384), 50, "global"),
    "llava": Case("llava-1b", (336, 336), 64),
}
TINY = {
    "vilt": Case("vilt-tiny", (48, 64), 8),
    "meter": Case("meter-tiny", (48, 48), 8, "global"),
    "llava": Case("llava-tiny", (16, 16), 8),
}


def llava_config(name: str) -> LlavaConfig:
    """A tower of CLIP ViT-L/14's size at 336 pixels, 576 image tokens, before a decoder of 24 layers, 2048 wide."""
    tiny = name == "llava-tiny"
    width, layers, heads, words = (32, 4, 4, 64) if tiny else (2048, 24, 16, 32_000)
    text = LlamaConfig(
        hidden_size=width,
        intermediate_size=48 if tiny else 5504,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        vocab_size=words,
        max_position_embeddings=4096,
    )
    tower: dict[str, Any] = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
    tower |= {"num_attention_heads": 16, "image_size": 336, "patch_size": 14}
    if tiny:
        tower = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 3}
        tower |= {"num_attention_heads": 2, "image_size": 16, "patch_size": 4}
    vision = AutoConfig.for_model("clip_vision_model", **tower)
    return LlavaConfig(text_config=text, vision_config=vision, image_token_id=words - 1, tie_word_embeddings=True)


def made(case: Case, dtype: torch.dtype, device: str) -> nn.Module:
    """The original, in evaluation mode: transformers' own, of METER ours without adapters."""
    with torch.device(device):
        if not case.name.startswith("llava"):
            return st.load_model(case.name, "vqa", quiet=True, num_labels=ANSWERS).to(device, dtype).eval()
        with construction():
            model: nn.Module = LlavaForConditionalGeneration._from_config(llava_config(case.name), dtype=dtype)
        return model.eval()


def inputs_for(case: Case, model: nn.Module, batch: int) -> dict[str, Tensor]:
    """Random, on the model's device and of its type."""
    return example_inputs(model, case.image, case.text, batch)


def third(blocks: Sequence[str]) -> tuple[str, ...]:
    """Every third block, from the second on, over all stacks."""
    return tuple(blocks[1::3])


def without_weights(model: nn.Module) -> nn.Module:
    """A copy to count operations with, which needs no GPU: parameters have shapes alone, all else is on the CPU."""
    copied = shared_copy(model)
    for module in copied.modules():
        for name, parameter in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(parameter.detach().to("meta"), requires_grad=False))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.cpu())
    return copied


@dataclass(frozen=True)
class Form:
    """What a model leaves out, and its operations at batch 1, G multiply-accumulates.

    Attributes:
        skipped: names of blocks.
        tokens: where image tokens become fewer.
        macs_g: of a pass.
        step_macs_g: of a decode step after it; 0: there is none.
    """

    skipped: tuple[str, ...]
    tokens: st.TokenSchedule | None
    macs_g: float
    step_macs_g: float


@dataclass(frozen=True)
class Variant:
    """A model that is timed.

    Attributes:
        run: its forward pass; the prefill of one that generates text.
        form: of it.
    """

    run: nn.Module
    form: Form


def forms(case: Case, original: nn.Module, saved: float) -> dict[str, Form]:
    """The original and slim forms by name: ``whole`` (where ours runs otherwise than the original), ``blocks`` with a
    third of them skipped, and ``both``, with fewer image tokens too, so that ``saved`` of the operations is saved."""
    adapted = slim_structure(case, original)
    inputs = {name: value.cpu() for name, value in inputs_for(case, adapted, 1).items()}
    count, with_step = (plan_counter(without_weights(adapted), inputs, steps) for steps in (0, int(generates(adapted))))

    def form(skipped: tuple[str, ...], tokens: st.TokenSchedule | None) -> Form:
        macs = count(skipped, tokens)
        return Form(skipped, tokens, macs, with_step(skipped, tokens) - macs)

    skipped, whole = third(tuple(blocks_of(adapted))), form((), None)
    share = largest_share(lambda share: count(skipped, schedule(adapted, share)), (1 - saved) * whole.macs_g)
    found = {"original": whole, "whole": whole, "blocks": form(skipped, None)}
    if not case.name.startswith("vilt"):
        del found["whole"]
    return {**found, "both": form(skipped, schedule(adapted, share or LEAST))}


def variants(case: Case, original: nn.Module, wanted: Mapping[str, Form]) -> dict[str, Variant]:
    """The original and slim models that share its weights."""
    found = {"original": Variant(passes_of(original, False)[0], wanted["original"])}
    for name, form in wanted.items():
        if name != "original":
            slim = slim_structure(case, original)
            plan = st.Plan(family_of(slim).name, tuple(blocks_of(slim)), form.skipped, tokens=form.tokens)
            found[name] = Variant(passes_of(prune(slim, plan).eval(), False)[0], form)
    return found


def slim_structure(case: Case, original: nn.Module) -> nn.Module:
    """A copy that shares the weights, with LoRA merged and nothing in skipped blocks."""
    config = st.SkipConfig.from_dict({"block_adapter": "lora", "skip_adapter": "none", "scope": case.scope})
    return st.insert(shared_copy(original), config, merged=True)
