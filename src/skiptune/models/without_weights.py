"""Models whose parameters take no memory until they are given."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """Within this context, parameters of new modules are on the meta device: shapes without memory. Buffers are real.

    Holds for this thread only, so that others can make models meanwhile: torch's registration hook is asked by all
    threads, and accelerate's ``init_empty_weights`` changes ``nn.Module`` itself for all of them.
    """
    thread = threading.get_ident()

    def move(module: nn.Module, name: str, parameter: nn.Parameter | None) -> nn.Parameter | None:
        if parameter is None or threading.get_ident() != thread:
            return None  # as it is
        return nn.Parameter(parameter.to("meta"), parameter.requires_grad)

    hook = register_module_parameter_registration_hook(move)
    try:
        yield
    finally:
        hook.remove()
