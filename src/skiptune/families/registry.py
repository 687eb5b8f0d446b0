"""The table of model families, see :mod:`skiptune.families.family`, and look-ups in it.

A row imports the code of its family's models, so it is read when a model of the family turns up, and not before.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from .family import Family

#: ``config.model_type`` → the module of the family's row.
_ROWS = {
    "vilt": "skiptune.families.vilt.row",
    "meter": "skiptune.families.meter.row",
    "bridgetower": "skiptune.families.bridgetower.row",
}
#: transformers' ``config.model_type`` values that are supported.
MODEL_TYPES = tuple(_ROWS)


@cache
def _row(model_type: str) -> Family:
    family: Family = import_module(_ROWS[model_type]).FAMILY
    return family


def families() -> tuple[Family, ...]:
    """All families."""
    return tuple(_row(model_type) for model_type in _ROWS)


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
    loaded_first = sorted(_ROWS, key=lambda model_type: _ROWS[model_type] not in sys.modules)
    for model_type in loaded_first:
        if isinstance(processor, _row(model_type).processor_classes[0]):
            return _row(model_type)
    known = ", ".join(family.processor_classes[0].__name__ for family in families())
    raise InputError(f"{type(processor).__name__} is no processor of a supported family; supported: {known}")


def family_of_type(model_type: str | None, subject: str) -> Family:
    """The family of a ``config.model_type``; ``subject`` opens the message if there is none.

    Raises:
        InputError: no family covers it; the message lists those that do exist.
    """
    if model_type in _ROWS:
        return _row(model_type)
    raise InputError(f"{subject} (model_type {model_type!r}) is not a supported family; supported: {', '.join(_ROWS)}")


def model_class_named(name: str, model_type: Any) -> tuple[type[PreTrainedModel], Family]:
    """The model class of a name, and its family; ``model_type`` says where to look first.

    Raises:
        InputError: no family has it; the message lists those that do exist.
    """
    for known in sorted(_ROWS, key=lambda known: known != model_type):
        for model_class in _row(known).model_classes.values():
            if model_class.__name__ == name:
                return model_class, _row(known)
    names = sorted(model_class.__name__ for family in families() for model_class in family.model_classes.values())
    raise InputError(f"{name!r} is not one of {names}")
