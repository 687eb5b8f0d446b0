"""The recipe of a run as YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from ..core.formatting import Markdown, file_name
from .results import Results


@dataclass(frozen=True)
class RecipeText:
    """A recipe for pages.

    Attributes:
        sections: one text for each name at the top level, without its last line break.
        fenced: all of it as a code block in Markdown, whose fence is longer than any inside.
    """

    sections: tuple[str, ...]
    fenced: Markdown


def recipe_text(results: Results) -> RecipeText | None:
    """The recipe, with absolute paths cut to their last part; ``None`` if it is not known."""
    if results.recipe is None:
        return None
    values = _without_folders(results.recipe.model_dump(exclude_unset=True))
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)
    fence = "`" * max(3, *(len(run) + 1 for run in ["", *re.findall("`+", text)]))
    sections = re.split(r"\n(?=[^\s-])", text.rstrip())
    return RecipeText(tuple(sections), Markdown(f"{fence}yaml\n{text}{fence}"))


def _without_folders(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_folders(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_folders(entry) for entry in value]
    return file_name(value) if isinstance(value, str) else value
