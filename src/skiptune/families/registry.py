"""The table of model families, see :mod:`skiptune.families.family`, and look-ups in it.

A row imports the code of its family's models, so it is read when a model of the family turns up, and not before. Rows
are our own, those that installed packages announce (entry points ``skiptune.families``, which are looked for when a
model is of none of the others), and those that :func:`register_family` adds.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError, first_line
from .chat_processor import ChatProcessor

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from .family import Family

#: ``config.model_type`` → the module of our own family's row.
_ROWS = {
    **{name: f"skiptune.families.{name}.row" for name in ("vilt", "meter", "bridgetower", "clip", "siglip")},
    **{
        name: f"skiptune.families.decoders.{name}"
        for name in (
            *("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"),
            *("llava", "llava_next", "llava_onevision", "smolvlm", "idefics3", "paligemma", "gemma3", "internvl"),
            *("qwen2_vl", "qwen2_5_vl", "qwen3_vl"),
        )
    },
}
#: Those that were registered in this process.
_REGISTERED: dict[str, Family] = {}
#: The group of entry points by which packages announce families: ``chinese_clip = "package.module:FAMILY"``.
ENTRY_POINTS = "skiptune.families"


def register_family(family: Family, replace: bool = False) -> Family:
    """Make a model family known, so that all functions take its models; returns it.

    See the guide "A model family of your own", and :func:`skiptune.testing.check_family`, which tries it out.

    Args:
        family: its description.
        replace: put it in the place of a family that was registered under this name before, as in a notebook.

    Raises:
        InputError: the description does not fit together, its name is taken, or its processor belongs to another
            family; all problems in one message.
    """
    from .registration import check_family_row, refuse_taken

    check_family_row(family)
    own = family.name in _ROWS or (family.name in _REGISTERED and not replace)
    others = [known for name, known in _REGISTERED.items() if name != family.name]
    refuse_taken(family, own, [*others, *map(_own_row, _loaded())])
    _REGISTERED[family.name] = family
    return family


def _loaded() -> list[str]:
    """Those of our own families whose code is loaded."""
    return [name for name, module in _ROWS.items() if module in sys.modules]


@cache
def _own_row(model_type: str) -> Family:
    family: Family = import_module(_ROWS[model_type]).FAMILY
    return family


@cache
def _announced() -> dict[str, EntryPoint]:
    """Families of installed packages, by name; ours go first."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS) if point.name not in _ROWS}


def _announced_row(model_type: str) -> Family:
    """The row of an installed package, which is registered by this."""
    point = _announced()[model_type]
    try:
        found = point.load()
    except Exception as error:  # the code of others can raise anything
        raise InputError(f"entry point {model_type} = {point.value}: cannot be loaded: {first_line(error)}") from None
    if getattr(found, "name", None) != model_type:
        raise InputError(f"entry point {model_type} = {point.value}: is no family of this name")
    if model_type not in _REGISTERED:  # its module may have registered it
        register_family(found)
    return _REGISTERED[model_type]


def _row(model_type: str) -> Family:
    if model_type in _ROWS:
        return _own_row(model_type)
    return _REGISTERED[model_type] if model_type in _REGISTERED else _announced_row(model_type)


def supported() -> tuple[str, ...]:
    """The ``config.model_type`` values that there is a family for."""
    return tuple(dict.fromkeys((*_ROWS, *_REGISTERED, *_announced())))


def is_supported(model_type: Any) -> bool:
    """Whether there is a family for a ``config.model_type``."""
    return model_type in _ROWS or model_type in _REGISTERED or model_type in _announced()


def families() -> tuple[Family, ...]:
    """All families."""
    return tuple(_row(model_type) for model_type in supported())


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
    if isinstance(processor, ChatProcessor):
        return _row(processor.model_type)
    for rows in ((*_REGISTERED, *_loaded()), _ROWS, supported()):  # code is loaded only if it must be
        by_class = {row.processor_classes[0]: row for row in map(_row, rows) if row.processor_classes}
        for kind in type(processor).__mro__:  # a subclass may be another family's
            if kind in by_class:
                return by_class[kind]
    known = ", ".join(family.processor_classes[0].__name__ for family in families() if family.processor_classes)
    raise InputError(f"{type(processor).__name__} is no processor of a supported family; supported: {known}")


def family_of_type(model_type: str | None, subject: str) -> Family:
    """The family of a ``config.model_type``; ``subject`` opens the message if there is none.

    Raises:
        InputError: no family covers it; the message lists those that do exist.
    """
    if model_type is not None and is_supported(model_type):
        return _row(model_type)
    raise InputError(
        f"{subject} (model_type {model_type!r}) is not a supported family; supported: {', '.join(supported())}"
    )


def model_class_named(name: str, model_type: Any) -> tuple[type[PreTrainedModel], Family]:
    """The model class of a name, and its family; ``model_type`` says where to look first.

    Raises:
        InputError: no family has it; the message lists those that do exist.
    """
    names: list[str] = []
    for known in sorted(supported(), key=lambda known: known != model_type):
        for model_class in (*_row(known).model_classes.values(), *_row(known).bare_classes):
            if model_class.__name__ == name:
                return model_class, _row(known)
            names.append(model_class.__name__)
    raise InputError(f"{name!r} is not one of {sorted(set(names))}; a class of your own is given as model_class")
