"""Arguments of public functions: another type is refused at once, with the name of the argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .errors import InputError
from .shown import shown
from .validation import Problems


def expect(function: str, **arguments: tuple[object, type | tuple[type, ...]]) -> None:
    """Refuse arguments of another type, before they end as an ``AttributeError`` deep inside.

    Args:
        function: the name of the function that was called.
        arguments: by name, the value that was given and the type or types that it may have.

    Raises:
        InputError: names every argument of another type.
    """
    problems = Problems(f"skiptune.{function}")
    for name, (value, kinds) in arguments.items():
        if not isinstance(value, kinds):
            problems.add(f"{name}: {_quoted(value)} is not {_listed(kinds)}")
    problems.raise_any()


def expect_batches(function: str, batches: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    """The batches, each looked at as it comes.

    Args:
        function: the name of the function that was called.
        batches: each the arguments of a model by name.

    Raises:
        InputError: one is no mapping, or there are none.
    """
    empty = True
    for batch in batches:
        if not isinstance(batch, Mapping):
            raise InputError(f"skiptune.{function}: batches: {_quoted(batch)} is not the arguments of a model by name")
        empty = False
        yield batch
    if empty:
        raise InputError(f"skiptune.{function}: there are no batches to fit to")


def _quoted(value: Any) -> str:
    """What was given; of large objects the type only."""
    return shown(value) if isinstance(value, str | int | float | bytes | None) else _with_article(type(value).__name__)


def _listed(kinds: type | tuple[type, ...]) -> str:
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return " or ".join("None" if kind is type(None) else _with_article(kind.__name__) for kind in kinds)


def _with_article(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
