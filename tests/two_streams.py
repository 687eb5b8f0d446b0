"""What tests of METER and BridgeTower share: tiny models of both families, a batch, and ways to look inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from skiptune import SkipConfig, insert, load_model
from skiptune.families.bridgetower.modeling import bridgetower_of
from skiptune.families.meter.modeling import meter_of

FUSION = tuple(f"{stream}.{number}" for stream in ("text", "image") for number in range(3))
NONE, BOTTLENECK, LORA = SkipConfig(block_adapter="none"), SkipConfig(), SkipConfig(block_adapter="lora")
EVERYWHERE = SkipConfig(scope="global")
NOISE = 0.05
ANSWERS = 5
Batch = dict[str, Tensor]
#: Layers of each encoder.
ENCODER_LAYERS = {"meter": 2, "bridgetower": 4}


def global_blocks(family: str) -> tuple[str, ...]:
    encoders = [f"{stack}.{number}" for stack in ("roberta", "clip") for number in range(ENCODER_LAYERS[family])]
    return (*FUSION, *encoders)


def make(
    family: str, config: SkipConfig | None = None, noise: float = 0.0, task: str = "vqa", **changes: Any
) -> PreTrainedModel:
    """A tiny model in evaluation mode; ``noise`` moves every trainable parameter."""
    model = load_model(f"{family}-tiny", task, **{"num_labels": ANSWERS, **changes})
    if config is not None:
        insert(model, config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if noise and parameter.requires_grad:
                parameter += noise * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def make_batch() -> Batch:
    """Three texts of different length, three images, labels."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, 260, (3, 7), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 5:] = mask[2, 3:] = 0
    ids[mask == 0] = 1
    ids[:, 0] = 0
    pixels = torch.randn(3, 3, 48, 48, generator=generator)
    labels = torch.rand(3, ANSWERS, generator=generator)
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": pixels, "labels": labels}


@torch.no_grad()
def run(model: PreTrainedModel, batch: Batch) -> Any:
    return model(**batch, output_hidden_states=True)


def same(one: Any, other: Any) -> bool:
    """Whether two outputs agree in every bit."""
    pairs = [(one.logits, other.logits), (one.loss, other.loss)]
    for name in ("text_hidden_states", "image_hidden_states"):
        pairs += list(zip(one[name], other[name], strict=True))
    return all(torch.equal(ours, theirs) for ours, theirs in pairs)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@contextmanager
def kept_for_backward() -> Iterator[list[int]]:
    """Collects the storages of tensors that autograd keeps while the block runs."""
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.untyped_storage().data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def encoders(model: PreTrainedModel) -> dict[str, Any]:
    """The layers of both encoders."""
    if model.config.model_type == "meter":
        meter = meter_of(model)
        return {"roberta": meter.roberta.encoder.layer, "clip": meter.clip.encoder.layers}
    bridgetower = bridgetower_of(model)
    return {
        "roberta": bridgetower.text_model.encoder.layer,
        "clip": bridgetower.vision_model.visual.transformer.resblocks,
    }


def text_embeddings(model: PreTrainedModel) -> nn.Module:
    return (
        meter_of(model).roberta if model.config.model_type == "meter" else bridgetower_of(model).text_model
    ).embeddings


def encoder_outputs(model: PreTrainedModel) -> dict[str, list[Tensor]]:
    """Filled in by the next forward pass with what every encoder layer returns."""
    found: dict[str, list[Tensor]] = {"roberta": [], "clip": []}
    for name, layers in encoders(model).items():
        for layer in layers:
            layer.register_forward_hook(lambda module, given, output, name=name: found[name].append(output))
    return found


def checkpointing(model: PreTrainedModel, *options: dict[str, bool]) -> None:
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable(*options)
