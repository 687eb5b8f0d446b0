"""Single values of a row, as every format has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.errors import InputError
from ...core.shown import shown
from .. import record_fields as fields
from ..answers import answer_text

_TRUTH = ("false", "true")
_ENTAILMENT = ("contradiction", "neutral", "entailment")


def value_of(row: Any, name: str) -> Any:
    """The value ``name`` of a row; ``None`` if there is none.

    Raises:
        InputError: the row is not an object.
    """
    if not isinstance(row, dict):
        raise InputError(f"expected an object with {name}; found {type(row).__name__}")
    return row.get(name)


def text_of(row: Any, name: str) -> str:
    """A text of a row, without surrounding white space.

    Raises:
        InputError: the row is not an object, or has no such text.
    """
    return name_of(row, name).strip()


def name_of(row: Any, name: str) -> str:
    """The name of a file or thing in a row, with white space as it is: names may begin or end with it.

    Raises:
        InputError: the row is not an object, or has no such text.
    """
    value = value_of(row, name)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name}: {shown(value)} is not a text")
    return fields.text(value, name)


def id_of(row: Any, name: str) -> str:
    """An identifier, a text or a number; empty if there is none.

    Raises:
        InputError: the row is not an object, or holds something else there.
    """
    value = value_of(row, name)
    if value is None or isinstance(value, str):
        return fields.text(value or "", name)
    return answer_text(value, name)


def number_of(row: Any, name: str) -> int:
    """A whole number of a row; 9.0 is 9.

    Raises:
        InputError: the row is not an object, or has no such number.
    """
    value = value_of(row, name)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{name}: {shown(value)} is not a whole number")
    return value


def label_of(value: Any, names: Sequence[str] = ()) -> int:
    """The number of a class, from its name or number; 1.0 is 1, and true and false are those of a statement.

    Args:
        value: as the row has it.
        names: of the task's classes, in order; none: those of reasoning and of entailment.

    Raises:
        InputError: it is no class.
    """
    kinds = [tuple(names)] if names else [_TRUTH, _ENTAILMENT]
    given = value.strip().lower() if isinstance(value, str) else value
    if isinstance(given, bool):
        given = _TRUTH[given]
    for kind in kinds:
        if isinstance(given, str) and given in kind:
            return kind.index(given)
    most = max(map(len, kinds))
    if isinstance(given, int | float) and given in range(most):
        return int(given)
    valid = [*(name for kind in kinds for name in kind), *map(str, range(most))]
    raise InputError(f"label: {shown(value)} is none of {', '.join(valid)}")
