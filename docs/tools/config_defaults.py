"""Defaults of configurations as YAML, made of the classes when the site is built.

A page marks a place with ``<!-- defaults: SECTION module:Class -->``.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_MARK = re.compile(r"<!-- defaults: (\w+) ([\w.]+):(\w+) -->")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the defaults where a page marks their place."""
    return _MARK.sub(lambda match: defaults(*match.groups()), markdown)


def defaults(section: str, module: str, name: str) -> str:
    """A section of a recipe with all its fields, as a block of YAML."""
    kind: Any = getattr(import_module(module), name)
    fields = {field: entry.get_default(call_default_factory=True) for field, entry in kind.model_fields.items()}
    values = {field: list(value) if isinstance(value, tuple) else value for field, value in fields.items()}
    text = yaml.safe_dump({section: values}, sort_keys=False, allow_unicode=True)
    return f"Defaults, as a section of a recipe:\n\n```yaml\n{text}```\n"
