"""Costs of the parts of a model that generates text: image tower, projector, decoder, head."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..families.registry import family_of
from .example_inputs import Inputs
from .generation import DecodeStep, Prefill, numbers_held, numbers_per_token
from .macs import FLOPS, counted

#: Names of the parts, in the order in which an image comes through them. The tower is what the others are not.
PARTS = ("tower", "projector", "decoder", "head")


@dataclass(frozen=True)
class PartCosts:
    """Costs of a model that generates text.

    Attributes:
        prefill, step: multiply-accumulates in G by part, of the prefill and of the first decode step.
        held: numbers in the cache after the prefill.
        grows: numbers that each layer's entry in it has for one more token.
    """

    prefill: dict[str, float]
    step: dict[str, float]
    held: int
    grows: tuple[int, ...]


def count_parts(model: Any, inputs: Inputs) -> PartCosts:
    """The costs of a model.

    Args:
        model: in evaluation mode, without LoRA.
        inputs: of the prompt, one example.
    """
    prefill = Prefill(model)
    with counted() as flops:
        first = _read(model, prefill, inputs, flops)
        held = numbers_held(prefill.cache)
        step = _read(model, DecodeStep(prefill), inputs, flops)
        return PartCosts(first, step, held, numbers_per_token(prefill.cache))


def _read(model: Any, each: nn.Module, inputs: Inputs, flops: Callable[[], float]) -> dict[str, float]:
    """The costs of one pass by part."""
    spent = dict.fromkeys(PARTS, 0.0)
    with ExitStack() as hooks:
        for part, module in _modules(model):

            def enter(*given: Any, part: str = part) -> None:
                spent[part] -= flops()

            def leave(*given: Any, part: str = part) -> None:
                spent[part] += flops()

            hooks.enter_context(module.register_forward_pre_hook(enter))
            hooks.enter_context(module.register_forward_hook(leave))
        before = flops()
        each(**inputs)
        spent["tower"] = flops() - before - sum(spent.values())
    return {part: operations / FLOPS for part, operations in spent.items()}


def _modules(model: Any) -> Iterator[tuple[str, nn.Module]]:
    yield "decoder", model.get_decoder()
    yield "head", model.get_output_embeddings()
    for prefix in family_of(model).small_parts:
        found = dict(model.named_modules()).get(prefix.rstrip("."))
        if found is not None:
            yield from (("projector", each) for each in (found if isinstance(found, nn.ModuleList) else [found]))
