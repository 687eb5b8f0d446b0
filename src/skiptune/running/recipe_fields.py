"""Every field of a recipe: its valid values, its default and what it is, read off the configurations and their
docstrings."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Any, get_args

from pydantic.fields import FieldInfo

from ..core.errors import InputError
from ..core.field_errors import valid_values
from ..core.validated import Validated
from ..core.validation import nearest
from .recipe import Recipe

_ENTRY = re.compile(r"^    ( *)([a-z_0-9]+(?:, [a-z_0-9]+)*): ", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?([^`]+)`")
_WIDTH = 100


@dataclass(frozen=True)
class RecipeField:
    """A field of a recipe.

    Attributes:
        section: that it stands in; empty at the top.
        name: within the section.
        values: what it may be, in words.
        default: as in YAML's one-line form; empty: it must be given.
        text: what it is.
    """

    section: str
    name: str
    values: str
    default: str
    text: str

    @property
    def path(self) -> str:
        """``section.name``, as ``--set`` takes it."""
        return f"{self.section}.{self.name}" if self.section else self.name


def recipe_fields() -> list[RecipeField]:
    """All fields, those at the top first, then section by section."""
    sections = {name: kind for name, field in Recipe.model_fields.items() if (kind := _section(field)) is not None}
    top = [field for field in _fields("", Recipe) if field.name not in sections]
    return [*top, *(field for name, kind in sections.items() for field in _fields(name, kind))]


def field_lines(section: str | None = None) -> Iterator[str]:
    """The fields as text for a terminal, those of one section or all.

    Raises:
        InputError: there is no such section.
    """
    fields = recipe_fields()
    sections = list(dict.fromkeys(field.section for field in fields if field.section))
    if section is not None and section not in sections:
        raise InputError(f"{section}: no section of recipes{nearest(section, sections)}")
    for field in fields:
        if section is None or field.section == section:
            yield f"{field.path}: {field.default or '(must be given)'}"
            for text in (f"{field.text[:1].upper()}{field.text[1:]}", f"Values: {field.values}."):
                yield from textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _section(field: FieldInfo) -> type[Validated] | None:
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not NoneType]
    first: Any = kinds[0]
    return first if isinstance(first, type) and issubclass(first, Validated) else None


def _fields(section: str, kind: type[Validated]) -> Iterator[RecipeField]:
    texts = _texts(kind)
    defaults = getattr(Recipe.model_fields[section], "default", None) if section else None
    for name, field in kind.model_fields.items():
        default = "" if field.is_required() else _default(name, field, defaults)
        yield RecipeField(section, name, valid_values(field), default, texts.get(name, ""))


def _default(name: str, field: FieldInfo, section: Validated | None) -> str:
    """Of the section in a recipe, which may differ from the configuration's own."""
    value = getattr(section, name) if section is not None else field.get_default(call_default_factory=True)
    return json.dumps(value, ensure_ascii=False, default=str) if not isinstance(value, Validated) else ""


def _texts(kind: type[Validated]) -> dict[str, str]:
    """The entries of ``Attributes:`` in a configuration's docstring; one entry may be about several fields."""
    _, _, listed = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    places = [match for match in _ENTRY.finditer(listed) if not match[1]]
    ends = [match.start() for match in places[1:]]
    found: dict[str, str] = {}
    for match, end in zip(places, [*ends, None][: len(places)], strict=True):
        text = (
            _ROLE.sub(r"`\1`", " ".join(listed[match.end() : end].split()))
            .replace("``", "`")
            .replace("`None`", "`null`")
        )
        found.update(dict.fromkeys(match[2].split(", "), text))
    return found
