"""Pydantic's errors as messages for users: ``field: value is not …``, with the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .errors import InputError
from .validation import LARGEST, nearest, problem_lines, shortened

_BOUNDS = ("ge", "gt", "le", "lt", "min_length")
_NOUNS = {str: "a text", bool: "true or false", dict: "a mapping", tuple: "a list", list: "a list"}


@dataclass
class _Place:
    """A field inside a model: its path, and the valid values of its type."""

    path: list[str]
    kind: Any
    bounds: dict[str, float]
    description: str | None = None
    optional: bool = False

    def unwrap(self) -> None:
        """Remove ``Annotated`` and ``| None``, and note what they mean."""
        while True:
            arguments = get_args(self.kind)
            if get_origin(self.kind) is Annotated:
                self.read(arguments[1:])
                self.kind = arguments[0]
            elif get_origin(self.kind) in (Union, UnionType) and NoneType in arguments:
                self.optional = True
                self.kind = Union[tuple(kind for kind in arguments if kind is not NoneType)]  # noqa: UP007
            else:
                return

    def read(self, metadata: tuple[Any, ...] | list[Any]) -> None:
        for entry in metadata:
            if isinstance(entry, FieldInfo):
                self.description = self.description or entry.description
                self.read(entry.metadata)
            for name in _BOUNDS:
                if (value := getattr(entry, name, None)) is not None:
                    self.bounds.setdefault(name, value)

    def enter(self, kind: Any, name: str | None = None, field: FieldInfo | None = None) -> _Place:
        inner = _Place(self.path + ([] if name is None else [name]), kind, {})
        if field is not None:
            inner.description = field.description
            inner.read(field.metadata)
        inner.unwrap()
        return inner

    def expected(self) -> str:
        """The description of valid values, to follow "is not"."""
        if self.description:
            return self.description
        kinds = get_args(self.kind) if get_origin(self.kind) in (Union, UnionType) else (self.kind,)
        if kinds[0] in (int, float):
            text = "a whole number" if kinds == (int,) else "a number"
            low, above, high = self.bounds.get("ge"), self.bounds.get("gt"), self.bounds.get("le", LARGEST)
            if low is not None:
                text += f" of at least {low:g}" if high == LARGEST else f" in [{low:g}, {high:g}]"
            elif above is not None and (below := self.bounds.get("lt")) is not None:
                text += f" between {above:g} and {below:g}"
            elif above is not None:
                text += f" above {above:g}" + f" and at most {high:g}" * (high != LARGEST)
        else:
            plain = get_origin(kinds[0]) or kinds[0]
            model = isinstance(plain, type) and issubclass(plain, BaseModel)
            text = "a mapping" if model else _NOUNS.get(plain, "valid")
            text += " with an entry" if self.bounds.get("min_length") == 1 else ""
        return text + ", or null" * self.optional


def valid_values(field: FieldInfo) -> str:
    """What a field may be, for a list of fields: ``a whole number of at least 1, or null``; ``one of a, b``."""
    return _valid(_Place([], None, {}).enter(field.annotation, None, field))


def _valid(place: _Place) -> str:
    inner = [place.enter(kind) for kind in get_args(place.kind) if kind is not Ellipsis]
    if get_origin(place.kind) is Literal:
        text = f"one of {', '.join(map(str, get_args(place.kind)))}"
    elif get_origin(place.kind) is dict and place.description is None and inner[1].kind is not Any:
        text = f"a mapping from {_valid(inner[0])} to {_valid(inner[1])}"
    elif get_origin(place.kind) is tuple and place.description is None:
        text = f"a list; each entry {_valid(inner[0])}"
    else:
        text = place.expected()
    return text + ", or null" * (place.optional and "null" not in text)


def field_errors(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line per problem, which starts with the path of its field, in the order of the fields.

    A type of several kinds (``str | tuple``) is one problem, though pydantic lists what is wrong with each kind.
    """
    found: dict[str, None] = {}
    told: set[tuple[str, str]] = set()
    entries = error.errors(include_url=False)
    inner = {entry["loc"][:length] for entry in entries for length in range(len(entry["loc"]))}
    for entry in entries:
        if entry["type"] == "too_short" and entry["loc"] in inner:
            continue  # pydantic counts valid entries only: the list is too short because of errors told already
        place = _place(model, entry)
        path = ".".join(place.path)
        once = path, "kinds" if get_origin(place.kind) in (Union, UnionType) else repr(entry["loc"])
        if once not in told:
            told.add(once)
            found.update(dict.fromkeys(_lines(entry, place, path)))
    return list(found)


def _lines(entry: ErrorDetails, place: _Place, path: str) -> Iterator[str]:
    kind, value = entry["type"], entry["input"]
    if kind in ("extra_forbidden", "invalid_key"):
        yield f"{path}: unknown field{nearest(place.path[-1], place.kind)}"
    elif kind == "missing":
        yield f"{path}: missing"
    elif kind == "value_error":
        raised = entry["ctx"]["error"]
        # an InputError is about the fields inside and names them, another error is about the value as a whole
        between = "." if isinstance(raised, InputError) else ": "
        yield from (f"{path}{between}{line}" if path else line for line in problem_lines(raised))
    elif get_origin(place.kind) is Literal and entry["loc"][-1:] == ("[key]",):
        yield f"{path}: unknown field{nearest(shortened(str(value)), get_args(place.kind))}"
    elif get_origin(place.kind) is Literal:
        yield f"{path}: {shortened(repr(value))}{nearest(shortened(str(value)), get_args(place.kind))}"
    elif not path:
        yield f"expected a mapping, found {type(value).__name__}"
    else:
        yield f"{path}: {shortened(repr(value))} is not {place.expected()}"


def _place(model: type[BaseModel], entry: ErrorDetails) -> _Place:
    """Where an error is. Numbers of list entries and the kinds of a union are no part of the path."""
    place = _Place([], model, {})
    for step in entry["loc"]:
        arguments = get_args(place.kind)
        if _is_model(place.kind):
            fields = place.kind.model_fields
            field = fields.get(step)
            if field is None:
                return _Place([*place.path, str(step)], tuple(fields), {})
            place = place.enter(field.annotation, str(step), field)
        elif get_origin(place.kind) is dict and step != "[key]":
            place = place.enter(arguments[0 if entry["loc"][-1] == "[key]" else 1], str(step))
        elif isinstance(step, int) and get_origin(place.kind) in (tuple, list):
            place = place.enter(arguments[min(step, len(arguments) - 1)] if Ellipsis not in arguments else arguments[0])
        else:
            break
    return place


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
