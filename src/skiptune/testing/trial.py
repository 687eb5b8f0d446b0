"""What the checks of a family share: its model, inputs, and outputs as tensors by name."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..config import SkipConfig
from ..costs.example_inputs import example_inputs
from ..families.family import Family
from ..inserting.insert import insert
from ..inserting.selection import blocks_of

_TEXT = 8  # tokens
_NOISE = 0.05


@dataclass(frozen=True)
class Trial:
    """A model of the family, and inputs for it.

    Attributes:
        model: without adapters. It is never changed, only copies are.
        family: its family.
        given: inputs of a user; ``None``: random ones.
    """

    model: PreTrainedModel
    family: Family
    given: Mapping[str, Tensor] | None = None

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """A batch of two."""
        if self.given is not None:
            return dict(self.given)
        sizes = self.family.sizes(self.model.config)
        side, length = sizes.image_size, min(_TEXT, sizes.text_length)
        return example_inputs(self.model, (side, side), length, batch=2)

    @cached_property
    def config(self) -> SkipConfig:
        """Bottleneck adapters where the family's blocks add them."""
        return SkipConfig(block_adapter="bottleneck" if self.adds_bottlenecks else "lora", lora_rank=2)

    @property
    def adds_bottlenecks(self) -> bool:
        """Whether any kind of block has them."""
        return any(kind.sublayers for kind in self.family.kinds)

    def adapted(self, config: SkipConfig | None = None, noise: bool = False) -> PreTrainedModel:
        """A copy with adapters, in evaluation mode; ``noise`` moves all that is trained."""
        model = copy.deepcopy(self.model).eval()
        insert(model, config or self.config)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in model.parameters():
                if noise and parameter.requires_grad:
                    parameter += _NOISE * torch.randn(parameter.shape, generator=generator).to(parameter)
        return model

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the skippable blocks."""
        return tuple(blocks_of(self.adapted()))

    def sets(self) -> list[tuple[str, ...]]:
        """Some sets of blocks to skip: none, the first, the last, every second one."""
        names = self.names
        return list(dict.fromkeys(((), names[:1], names[-1:], names[::2])))[: 4 if len(names) > 1 else 1]


def run(model: nn.Module, inputs: Mapping[str, Tensor], **options: Any) -> dict[str, Tensor]:
    """The tensors of floating-point numbers in a model's output, by name, those in tuples with their place."""
    return dict(_tensors("", model(**inputs, **options)))


def _tensors(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield name or "output", value
        return
    if isinstance(value, Mapping):
        parts: Sequence[tuple[Any, Any]] = list(value.items())
    else:
        parts = list(enumerate(value)) if isinstance(value, tuple | list) else []
    for key, part in parts:
        yield from _tensors(f"{name}.{key}" if name else str(key), part)


def is_state(name: str) -> bool:
    """Whether an output is a stream inside the model, and not its result."""
    return "hidden_state" in name or "attentions" in name


def differences(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], most: float = 0.0) -> list[str]:
    """What differs between two outputs by more than ``most`` of the largest number, in words."""
    if found.keys() != wanted.keys():
        return [f"outputs are {sorted(found)}, expected {sorted(wanted)}"]
    said = []
    for name, value in wanted.items():
        if found[name].shape != value.shape:
            said.append(f"{name} is {tuple(found[name].shape)}, expected {tuple(value.shape)}")
        elif not torch.equal(found[name], value):
            apart = float((found[name] - value).abs().max() / value.abs().max().clamp(min=1e-12))
            if not apart <= most:
                said.append(f"{name} differs by {apart:.1e}")
    return said
