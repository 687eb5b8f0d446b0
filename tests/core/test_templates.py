"""Templates escape every value, and refuse to leave out a name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from skiptune.core.formatting import Markdown
from skiptune.core.templates import render


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "made_up_package" / "templates"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "page.html.j2").write_text("<p>{{ text }}</p>\n")
    (folder / "page.md.j2").write_text("# {{ text }}\n\n{{ markdown_table(('a',), [(text,)]) }}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_up_package", raising=False)
    return "made_up_package"


def test_values_are_escaped_in_html_and_in_markdown(package: str) -> None:
    assert render(package, "page.html.j2", text='<b> & "x"') == "<p>&lt;b&gt; &amp; &#34;x&#34;</p>\n"
    assert render(package, "page.md.j2", text="<b>|*x*\n#") == (
        "# &lt;b&gt;\\|\\*x\\* \\#\n\n| a |\n| --- |\n| &lt;b&gt;\\|\\*x\\* \\# |\n"
    )
    assert render(package, "page.md.j2", text=Markdown("`x`")).startswith("# `x`\n")


def test_a_name_that_is_not_given_is_an_error(package: str) -> None:
    with pytest.raises(UndefinedError, match="'text' is undefined"):
        render(package, "page.html.j2")
