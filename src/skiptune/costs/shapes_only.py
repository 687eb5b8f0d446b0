"""Run a model for its shapes only: what depends on its weights is not computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.flop_counter import flop_registry

_aten = torch.ops.aten
_RANDOM = (_aten.normal_, _aten.uniform_)  # what fills new weights


class ShapesOnly(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context in which matrix products and attention, and the numbers that are made from them, are zeros of the right
    shape that share one place in memory. New weights are not drawn.

    Everything else is computed, so that models whose shapes depend on masks (ViLT) or on the places of image tokens
    work. Weights are never read, so a model made in this context takes no memory for them; nor does one whose
    parameters are on the meta device. Its inputs are real.

    Attributes:
        flops: operations counted so far, as torch's FlopCounterMode counts them: two for a multiply-accumulate.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0
        self._known: dict[object, tuple[Any, int]] = {}  # by operation and shapes: blocks repeat each other's

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> Any:
        if func.overloadpacket in _RANDOM:
            return args[0]
        named = dict(kwargs or {})
        tensors: list[Tensor] = []
        case = (func, _shapes_in(args, tensors), tuple(named), _shapes_in(tuple(named.values()), tensors))
        device = _device_of(tensors, named)
        if device is not None and named.get("device") is not None:
            named["device"] = device
        if device is None or not (func.overloadpacket in flop_registry or any(map(_is_hollow, tensors))):
            return func(*args, **named)
        if case not in self._known:
            self._known[case] = _shapes_of(func, args, named)
        result, flops = self._known[case]
        self.flops += flops
        if result is None:
            return func(*args, **named)
        fill = _hollow_on(device)
        return fill(result) if isinstance(result, Tensor) else tree_map_only(Tensor, fill, result)


def _shapes_in(value: Any, tensors: list[Tensor]) -> Any:
    """An argument with types and shapes in the place of its tensors, which are added to ``tensors``; lists are tuples.

    By hand, because every operation passes here, and torch's pytrees are slow.
    """
    if isinstance(value, Tensor):
        tensors.append(value)
        return (value.dtype, value.shape)
    return tuple(_shapes_in(each, tensors) for each in value) if isinstance(value, (list, tuple)) else value


def _shapes_of(func: Any, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, int]:
    """The result on the meta device, and its operations; ``None`` if shapes say too little about it, so that it must be
    computed."""
    args, named = tree_map_only(Tensor, lambda tensor: torch.empty_like(tensor, device="meta"), (args, named))
    if "device" in named:
        named["device"] = "meta"
    try:
        result = func(*args, **named)
    except (NotImplementedError, RuntimeError):  # shapes that depend on values, as of mask[...]
        return None, 0
    if not all(leaf.is_floating_point() for leaf in tree_flatten(result)[0] if isinstance(leaf, Tensor)):
        return None, 0
    count = flop_registry.get(func.overloadpacket)
    return result, 0 if count is None else count(*args, **named, out_val=result)


def _is_hollow(tensor: Tensor) -> bool:
    """Whether nothing is known of a tensor's numbers but their shape: a weight on the meta device, or what was made of
    one."""
    if tensor.is_meta:
        return True
    alone = tensor.is_floating_point() and tensor.numel() > 1
    return alone and tensor.untyped_storage().nbytes() == tensor.element_size()


def _hollow_on(device: torch.device) -> Any:
    """Makes zeros of a tensor's shape, all in one place in memory."""
    return lambda shape: torch.zeros((), dtype=shape.dtype, device=device).expand(shape.shape)


def _device_of(tensors: Sequence[Tensor], named: Mapping[str, Any]) -> torch.device | None:
    """Where an operation on tensors has its result: on the meta device, ``None``, only if all of them are there and
    none is moved. No real tensor is moved to it, as models do that want it where their weights are."""
    wanted = [torch.device(named["device"])] if tensors and named.get("device") is not None else []
    by_size = sorted(tensors, key=Tensor.dim, reverse=True)  # a number may be elsewhere
    return next((device for device in (*wanted, *(one.device for one in by_size)) if device.type != "meta"), None)
