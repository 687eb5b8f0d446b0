"""The fields of a recipe, made of the configurations and their docstrings, so that the page cannot be out of date."""

from __future__ import annotations

from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from skiptune.running.recipe_fields import RecipeField, recipe_fields

_MARK = "<!-- recipe fields -->"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the fields where a page marks their place."""
    return markdown.replace(_MARK, "\n".join(reference())) if _MARK in markdown else markdown


def reference() -> Iterator[str]:
    """A table a section."""
    section = None
    for field in recipe_fields():
        if field.section != section:
            section = field.section
            yield f"\n## {section or 'At the top'}\n\n| field | default | values | what it is |\n|---|---|---|---|"
        yield _row(field)


def _row(field: RecipeField) -> str:
    default = f"`{field.default}`" if field.default else "must be given"
    return (
        "| "
        + " | ".join(text.replace("|", "\\|") for text in (f"`{field.name}`", default, field.values, field.text))
        + " |"
    )
