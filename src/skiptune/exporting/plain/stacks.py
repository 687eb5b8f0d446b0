"""The stacks of layers that blocks stand in, and which layers of each go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from torch import nn
from transformers import PreTrainedConfig

from ...config.skip_config import Half
from ...core.errors import InputError
from ...models.module_names import module_names


@dataclass(frozen=True)
class Stack:
    """A list of layers that run one after the other.

    Attributes:
        path: name of the ``ModuleList`` in the model.
        config: names that lead from the model's configuration to the part that counts the layers; none: to itself.
        layers: how many there are.
        kept: numbers of those that stay, in order.
    """

    path: str
    config: tuple[str, ...]
    layers: int
    kept: tuple[int, ...]

    def kept_before(self, number: int) -> int:
        """How many of the first ``number`` layers stay."""
        return sum(kept < number for kept in self.kept)


def stacks_of(model: nn.Module, blocks: Mapping[str, nn.Module], skipped: Collection[str]) -> list[Stack]:
    """The stacks that all blocks stand in.

    Args:
        model: with blocks.
        blocks: all of them, by name.
        skipped: names of those that go.

    Raises:
        InputError: a block is no layer of a list; half a layer would go; or no part of the configuration counts the
            layers.
    """
    modules, paths = dict(model.named_modules()), module_names(model)
    gone: dict[str, set[int]] = {}
    halves: dict[tuple[str, int], list[str]] = {}
    for name, block in blocks.items():
        path = paths[id(block)]
        stack, number = _place(path, modules, name)
        layers = gone.setdefault(stack, set())
        if name in skipped and path == f"{stack}.{number}":
            layers.add(number)
        elif name in skipped:
            halves.setdefault((stack, number), []).append(name)
    for (stack, number), names in halves.items():
        _refuse_half(names)
        gone[stack].add(number)
    return [_stack(model, modules, path, numbers) for path, numbers in gone.items()]


def _place(path: str, modules: Mapping[str, nn.Module], name: str) -> tuple[str, int]:
    """The innermost list that a block stands in, and the number of its layer."""
    while path:
        parent, _, child = path.rpartition(".")
        if isinstance(modules[parent], nn.ModuleList):
            return parent, int(child)
        path = parent
    raise InputError(f"form: 'plain': block {name} is no layer of a list, so the others cannot be renumbered")


def _refuse_half(names: list[str]) -> None:
    if len(names) < len(get_args(Half)):
        raise InputError(
            f"form: 'plain': {', '.join(names)}: half a layer is skipped, and transformers' class has whole ones only; "
            "skip both halves of it or none"
        )


def _stack(model: Any, modules: Mapping[str, Any], path: str, gone: Collection[int]) -> Stack:
    whole = len(modules[path])
    part = _part_of(model.config, _config_above(modules, path))
    if part is None or layers_of(_at(model.config, part)) != whole:
        raise InputError(
            f"form: 'plain': {path}: no part of the configuration counts its {whole} layers (num_hidden_layers), so it "
            "cannot say that there are fewer"
        )
    return Stack(path, part, whole, tuple(number for number in range(whole) if number not in gone))


def _config_above(modules: Mapping[str, Any], path: str) -> Any:
    """The configuration of the nearest module around ``path`` that has one."""
    while path:
        path = path.rpartition(".")[0]
        config = getattr(modules[path], "config", None)
        if isinstance(config, PreTrainedConfig):
            return config
    return None


def _part_of(config: Any, wanted: Any) -> tuple[str, ...] | None:
    """Where in ``config`` the part is that a module was made of, which may have a copy of it."""
    if type(config) is type(wanted):
        return ()
    for name in config.sub_configs:
        inside = getattr(config, name, None)
        found = None if inside is None else _part_of(inside, wanted)
        if found is not None:
            return (name, *found)
    return None


def _at(config: Any, part: tuple[str, ...]) -> Any:
    for name in part:
        config = getattr(config, name)
    return config


def count_field(config: Any) -> str:
    """The field of a configuration that counts its layers."""
    name: str = config.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    return name if hasattr(config, name) else "depth"  # of Qwen's towers; transformers 5.20 knows no other name


def layers_of(config: Any) -> int | None:
    """How many layers a configuration counts; ``None``: it does not."""
    found: int | None = getattr(config, count_field(config), None)
    return found
