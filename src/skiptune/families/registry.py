"""The table of model families, see :mod:`skiptune.families.family`, and look-ups in it."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..core.errors import InputError
from .bridgetower.row import BRIDGETOWER
from .family import Family
from .meter.row import METER
from .vilt.row import VILT

FAMILIES = (VILT, METER, BRIDGETOWER)


def family_of(model: nn.Module) -> Family:
    """The family of a transformers model.

    Raises:
        InputError: no family covers it; the message lists those that do exist.
    """
    return family_of_type(getattr(getattr(model, "config", None), "model_type", None), type(model).__name__)


def family_of_processor(processor: Any) -> Family:
    """The family a processor prepares inputs for.

    Raises:
        InputError: no family has processors of its class.
    """
    for family in FAMILIES:
        if isinstance(processor, family.processor_classes[0]):
            return family
    known = ", ".join(family.processor_classes[0].__name__ for family in FAMILIES)
    raise InputError(f"{type(processor).__name__} is no processor of a supported family; supported: {known}")


def family_of_type(model_type: str | None, subject: str) -> Family:
    """The family of a ``config.model_type``; ``subject`` opens the message if there is none.

    Raises:
        InputError: no family covers it; the message lists those that do exist.
    """
    for family in FAMILIES:
        if model_type in family.model_types:
            return family
    known = ", ".join(kind for family in FAMILIES for kind in family.model_types)
    raise InputError(f"{subject} (model_type {model_type!r}) is not a supported family; supported: {known}")
