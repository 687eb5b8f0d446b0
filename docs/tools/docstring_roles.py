"""Docstrings refer to others by Sphinx roles (``:func:`skiptune.fit```), which editors follow: links on the site."""

from __future__ import annotations

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_ROLE = re.compile(r":(?:func|class|meth|mod|data|attr|exc):\s*<code>~?([\w.]+)</code>")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A link where the page has the name, else its last part as code."""

    def shown(match: re.Match[str]) -> str:
        name = match[1]
        code = f"<code>{name.removeprefix('skiptune.')}</code>"
        return f'<a href="#{name}">{code}</a>' if f'id="{name}"' in html else code

    return _ROLE.sub(shown, html)
