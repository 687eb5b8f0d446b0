"""Run a decoder without the cache that it generates with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def without_cache(model: nn.Module) -> Iterator[None]:
    """Context in which the model makes no cache of its own (``use_cache``). Models without one are left as they are."""
    configs = {id(config): config for config in _configs(model)}.values()
    before = [(config, config.use_cache) for config in configs]
    try:
        for config, _ in before:
            config.use_cache = False
        yield
    finally:
        for config, value in before:
            config.use_cache = value


def _configs(model: nn.Module) -> list[Any]:
    """Those of a model and of its parts that decide on a cache."""
    found = (getattr(module, "config", None) for module in model.modules())
    return [config for config in found if hasattr(config, "use_cache")]
