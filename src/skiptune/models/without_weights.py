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


#: ``depth`` of nested contexts in this thread.
_here = threading.local()


def _move(module: nn.Module, name: str, parameter: nn.Parameter | None) -> nn.Parameter | None:
    """What torch registers for a parameter of a new module; ``None``: the parameter as it is."""
    if parameter is None or parameter.is_meta or not getattr(_here, "depth", 0):
        return None  # tied ones stay tied
    return nn.Parameter(parameter.to("meta"), parameter.requires_grad)


# Registered once and for good: torch keeps these hooks in a dictionary that every thread goes through whenever it makes
# a module, and a dictionary must not change meanwhile.
register_module_parameter_registration_hook(_move)  # type: ignore[arg-type]


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """Within this context, parameters of new modules are on the meta device: shapes without memory. Buffers are real.

    Holds for this thread only, so that others can make models meanwhile. (accelerate's ``init_empty_weights`` changes
    ``nn.Module`` itself, for all threads.)
    """
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        with _NothingDrawn():
            yield
    finally:
        _here.depth -= 1
