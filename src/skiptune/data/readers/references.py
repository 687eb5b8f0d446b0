"""Pictures inside the values of table columns, replaced by references, so that rows stay small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

#: Makes the reference to a picture from where it is inside the value.
Refer = Callable[[str], Any]
_STRUCT = {"bytes", "path"}


def is_image(kind: Any) -> bool:
    """Whether a column's type is datasets' of images: encoded bytes, or a path."""
    return pa.types.is_struct(kind) and {field.name for field in kind} >= _STRUCT


def holds_images(kind: Any) -> bool:
    """Whether images are in the values of a column, at any depth."""
    if is_image(kind):
        return True
    if pa.types.is_struct(kind):
        return any(holds_images(field.type) for field in kind)
    return is_list(kind) and holds_images(kind.value_type)


def is_list(kind: Any) -> bool:
    """Whether a type is one of lists."""
    return any(fits(kind) for fits in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def referring(scalar: Any, refer: Refer, inside: str = "") -> Any:
    """The value of an Arrow scalar as Python has it, with references in place of encoded images, which are not read."""
    if not scalar.is_valid or not holds_images(scalar.type):
        return scalar.as_py()
    if is_image(scalar.type):
        return refer(inside) if scalar["bytes"].is_valid else scalar["path"].as_py()
    if pa.types.is_struct(scalar.type):
        return {field.name: referring(scalar[field.name], refer, _deeper(inside, field.name)) for field in scalar.type}
    return [referring(scalar[place], refer, _deeper(inside, str(place))) for place in range(len(scalar))]


def _deeper(inside: str, step: str) -> str:
    return f"{inside}/{step}" if inside else step


def at(value: Any, steps: list[str | int]) -> Any:
    """What is inside a value of Python.

    Raises:
        ValueError: nothing is there.
    """
    for step in steps:
        try:
            value = value[step] if isinstance(value, Mapping) or isinstance(step, int) else getattr(value, step)
        except (LookupError, TypeError, AttributeError):
            raise ValueError(f"nothing at {step!r} inside it") from None
    return value
