"""The names of a model's modules."""

from __future__ import annotations

from torch import nn


def module_names(model: nn.Module) -> dict[int, str]:
    """The ``id`` of each module → its name in the model, as ``get_submodule`` takes it."""
    return {id(module): name for name, module in model.named_modules()}
