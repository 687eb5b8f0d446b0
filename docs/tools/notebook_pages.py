"""A notebook as Markdown: text as it is, code fenced, stored outputs below it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat


def page_of(path: Path) -> str:
    """The Markdown page of a notebook, with a link to the notebook itself."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join([*map(_cell, cells), f'<a href="{path.name}" download>This page as a notebook</a>']) + "\n"


def _cell(cell: Any) -> str:
    if cell.cell_type == "markdown":
        return str(cell.source)
    source = str(cell.source)
    shell = source.startswith("!") and "\n" not in source
    code = f"```console\n{source.removeprefix('!')}\n```" if shell else f"```python\n{source}\n```"
    return "\n\n".join([code, *filter(None, map(_output, cell.get("outputs", [])))])


def _output(output: Any) -> str:
    """Text that was printed, a text value or a picture; anything else is left out."""
    data = output.get("data", {})
    if "image/png" in data:
        return f"![output of the cell above](data:image/png;base64,{''.join(data['image/png'].split())})"
    text = output.get("text") or data.get("text/plain", "")
    return f"```text\n{text.rstrip()}\n```" if text else ""
