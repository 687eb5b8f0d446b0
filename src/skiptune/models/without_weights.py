"""Models whose parameters take no memory until they are given."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

#: By name: transformers puts functions of its own in the place of torch's while it makes a model.
_DRAWING = ("normal_", "uniform_", "kaiming_uniform_")


class _NothingDrawn(TorchFunctionMode):
    """Inside, random values are not drawn for tensors on the meta device, which have none.

    torch would work out the shape of the result in Python, and import its compiler for that.
    """

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__name__", "") in _DRAWING:
            tensor: Any = args[0] if args else given["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **given)


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """Within this context, parameters of new modules are on the meta device: shapes without memory. Buffers are real.

    Holds for this thread only, so that others can make models meanwhile. (accelerate's ``init_empty_weights`` changes
    ``nn.Module`` itself, for all threads.)
    """
    thread = threading.get_ident()

    def move(module: nn.Module, name: str, parameter: nn.Parameter | None) -> nn.Parameter | None:
        if parameter is None or threading.get_ident() != thread:  # torch asks the hook in all threads
            return None  # as it is
        return nn.Parameter(parameter.to("meta"), parameter.requires_grad)

    hook = register_module_parameter_registration_hook(move)  # type: ignore[arg-type]
    try:
        with _NothingDrawn():
            yield
    finally:
        hook.remove()
