"""What a plain checkpoint must give: it is read by transformers' class and compared, before it is kept."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...core.errors import InputError
from ...core.seeding import drawn_from
from ...costs.example_inputs import example_inputs
from ...families.registry import family_of
from .load import read_plain
from .stacks import Stack

#: Largest difference of outputs, relative to the largest one. Merging rounds, by as much as the type of numbers does.
_ALLOWED = {torch.float16: 1e-2, torch.bfloat16: 5e-2}
#: Attributes of layers that may change with their number, or that are none of the model's.
_OF_PLACE = ("layer_idx", "training", "gradient_checkpointing", "skipped", "removed")

#: Plain attributes by module and name, for every kept layer by its stack and new number.
Settings = Mapping[tuple[str, int], Mapping[tuple[str, str], object]]


@dataclass(frozen=True)
class Expected:
    """A model with skipped blocks, as a plain checkpoint has to repeat it.

    Attributes:
        inputs: random ones.
        outputs: for them, by name.
        settings: of the kept layers, such as whether attention is to a window; short inputs do not show all of them.
        attention: which implementations computed them, by parts of the configuration.
    """

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    settings: Settings
    attention: Mapping[str, str]

    @classmethod
    def of(cls, model: PreTrainedModel, stacks: Sequence[Stack]) -> Expected:
        """What ``model`` gives with the blocks that it skips; ``stacks`` are its own."""
        inputs = _inputs(model)
        settings = {
            (stack.path, number): _settings(_layer(model, stack.path, old))
            for stack in stacks
            for number, old in enumerate(stack.kept)
        }
        return cls(inputs, _outputs(model, inputs), settings, _attention(model.config))

    def check(self, folder: Path, model_class: type[PreTrainedModel], device: Any) -> None:
        """Read a checkpoint with transformers' class, and compare.

        Raises:
            InputError: weights are missing or not read, or what it computes is something else.
        """
        found, lost = read_plain(folder, model_class, self.attention)
        name = f"form: 'plain': {model_class.__name__}, as transformers reads it,"
        if lost:
            raise InputError(f"{name} does not take its weights: {lost}")
        for (path, number), wanted in self.settings.items():
            settings = _settings(_layer(found, path, number))
            other = sorted(key for key in wanted.keys() & settings.keys() if wanted[key] != settings[key])
            if other:
                module, attribute = other[0]
                raise InputError(
                    f"{name} has other settings: {path}.{number}: {module} {attribute}: {settings[other[0]]}, "
                    f"not {wanted[other[0]]}"
                )
        self._compare(_outputs(found.to(device).eval(), self.inputs), name)

    def _compare(self, found: Mapping[str, Tensor], name: str) -> None:
        both = [key for key in self.outputs.keys() & found.keys() if self.outputs[key].shape == found[key].shape]
        if not both:
            raise InputError(f"{name} gives none of the outputs {', '.join(self.outputs)}")
        for key in both:
            difference = _difference(found[key], self.outputs[key], any_order=key == "last_hidden_state")
            allowed = _ALLOWED.get(found[key].dtype, 1e-5)
            if not difference <= allowed:
                raise InputError(f"{name} gives other {key}: {difference:.1e} of the largest, not {allowed:g}")


def _difference(found: Tensor, wanted: Tensor, any_order: bool) -> float:
    """The largest difference, relative to the largest number.

    ``any_order``: of tokens, ``(batch, tokens, width)``: transformers' ViLT draws that of the patches.
    """
    if any_order and found.ndim == 3:
        found, wanted = found.sort(dim=1).values, wanted.sort(dim=1).values
    return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=torch.finfo(torch.float32).tiny))


def _attention(config: Any) -> dict[str, str]:
    """The implementation of attention, of the whole model (an empty name) and of its parts."""
    parts = {"": config, **{name: getattr(config, name, None) for name in config.sub_configs}}
    found = {name: getattr(part, "_attn_implementation", None) for name, part in parts.items()}
    return {name: implementation for name, implementation in found.items() if implementation is not None}


def _inputs(model: PreTrainedModel) -> dict[str, Tensor]:
    """Random inputs of the family's usual size, those that the model takes."""
    sizes = family_of(model).sizes(model.config)
    found = example_inputs(model, (sizes.image_size, sizes.image_size), sizes.text_length)
    taken = inspect.signature(type(model).forward).parameters
    return {name: value for name, value in found.items() if name in taken}


def _outputs(model: PreTrainedModel, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A model's outputs by name, without lists of them. Random numbers are the same at every call.

    They are of its class: a Trainer leaves a ``forward`` of its own in the model, which rounds as the training did
    (mixed precision), or runs the original of a copy (TRL's).
    """
    device = next(iter(inputs.values())).device
    with torch.no_grad(), drawn_from(0):
        found: Mapping[str, Any] = type(model).forward(model, **inputs)
    return {name: value.to(device) for name, value in found.items() if isinstance(value, Tensor)}


def _layer(model: nn.Module, path: str, number: int) -> nn.Module:
    return model.get_submodule(f"{path}.{number}")


def _settings(layer: nn.Module) -> dict[tuple[str, str], object]:
    """Numbers, texts and truth values among the attributes of a layer and its modules."""
    return {
        (path, name): value
        for path, module in layer.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, bool | int | float | str) and not name.startswith("_") and name not in _OF_PLACE
    }
