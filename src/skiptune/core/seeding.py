"""Draw new weights from a private seed, independent of all other random numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

#: torch's functions that draw random numbers and take a generator, by name: transformers puts functions of its own in
#: the place of torch's while it makes a model.
_DRAWING = frozenset(
    [
        "normal_",
        "uniform_",
        "random_",
        "bernoulli_",
        "exponential_",
        "log_normal_",
        "geometric_",
        "cauchy_",
        "kaiming_uniform_",
        "normal",
        "bernoulli",
        "multinomial",
        "rand",
        "randn",
        "randint",
        "randperm",
    ]
)


class _DrawFrom(TorchFunctionMode):
    """Inside, what this thread draws on the CPU comes from ``generator``."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__name__", "") in _DRAWING and given.get("generator") is None and _on_cpu(args, given):
            given["generator"] = self.generator
        return func(*args, **given)


def _on_cpu(args: tuple[Any, ...], given: Mapping[str, Any]) -> bool:
    """Whether a function with these arguments draws on the CPU: as its tensor, else where new tensors are made."""
    tensor = next((value for value in (*args, *given.values()) if isinstance(value, Tensor)), None)
    device = tensor.device if tensor is not None else given.get("device") or torch.get_default_device()
    return torch.device(device).type == "cpu"


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Context in which this thread draws on the CPU from ``seed``. Generators of torch and other threads are untouched.

    The numbers are those that ``torch.manual_seed(seed)`` would give.
    """
    with _DrawFrom(torch.Generator().manual_seed(seed)):
        yield


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Restore the global generators afterwards: the Trainer seeds them all."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
