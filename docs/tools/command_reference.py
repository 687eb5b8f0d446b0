"""The reference of the command line, made of the commands themselves, so that it cannot be out of date."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from typer.main import get_command

from skiptune.cli import app

_MARK = "<!-- commands -->"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the commands where a page marks their place."""
    return markdown.replace(_MARK, "\n".join(reference())) if _MARK in markdown else markdown


def reference() -> Iterator[str]:
    """A section a command: what it does, how it is called, its arguments and options."""
    for name, command in _commands(get_command(app)):
        context = command.make_context(name, [], resilient_parsing=True)
        usage = " ".join([f"skiptune {name}", *command.collect_usage_pieces(context)])
        records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
        rows = [_row(*record) for record in records if record is not None]
        yield f"\n## {name}\n\n{_plain(command.help)}\n\n```text\n{usage}\n```\n\n| | what it is |\n|---|---|"
        yield from (row for row in rows if "--help" not in row)


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Commands by their names, those of groups behind the group's."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        elif not command.hidden:
            yield f"{before}{name}", command


def _row(names: str, text: str) -> str:
    return f"| `{names.replace('|', ', ')}` | {_plain(text).replace('|', chr(92) + '|')} |"


def _plain(text: str | None) -> str:
    """Help text without Rich's marks; a line break within a paragraph is none."""
    marked = re.sub(r"\[/?bold\]", "`", (text or "").strip()).replace("\\[", "[")
    return re.sub(r"(?<!\n)\n(?!\n)", " ", marked)
