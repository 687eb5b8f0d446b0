"""Run a model for its shapes only: counted operations are not computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import flop_registry

_aten = torch.ops.aten
_RANDOM = (_aten.normal_, _aten.uniform_)  # what fills new weights


class ShapesOnly(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context in which matrix products and attention give zeros of the right shape, and new weights are not drawn.

    Everything else is computed, so that models whose shapes depend on masks (ViLT) work. Weights are never read, so a
    model made in this context takes no memory for them.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._results: dict[str, object] = {}  # by operation and shapes: blocks repeat each other's

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> Any:
        given = (args, dict(kwargs or {}))
        if func.overloadpacket in _RANDOM:
            return args[0]
        if func.overloadpacket not in flop_registry:
            return func(*args, **given[1])
        case = f"{func} {tree_map_only(Tensor, lambda tensor: (tensor.dtype, tensor.shape), given)}"
        if case not in self._results:
            shapes = tree_map_only(Tensor, lambda tensor: torch.empty_like(tensor, device="meta"), given)
            self._results[case] = func(*shapes[0], **shapes[1])
        device = next(argument.device for argument in args if isinstance(argument, Tensor))
        return tree_map_only(Tensor, lambda shape: torch.zeros_like(shape, device=device), self._results[case])
