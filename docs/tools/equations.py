"""Equations as MathML, which browsers show by themselves: no script, no font, nothing from a network.

``pymdownx.arithmatex`` finds ``$…$`` and ``$$…$$`` in a page (and leaves code alone); ``latex2mathml`` translates them.
"""

from __future__ import annotations

import re
from html import unescape

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace what arithmatex marked."""
    return _EQUATION.sub(_mathml, html)


def _mathml(match: re.Match[str]) -> str:
    inline = match[1] == "span"
    found = convert(unescape(match[2]).strip(), display="inline" if inline else "block")
    return found if inline else f'<div class="equation">{found}</div>'
