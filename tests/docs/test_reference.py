"""The reference has every public name, and the overview says where."""

from __future__ import annotations

import re
from pathlib import Path

import skiptune

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_public_name_has_its_place() -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in sorted(REFERENCE.glob("*.md"))}
    shown = [name for text in pages.values() for name in re.findall(r"^::: skiptune\.(\w+)$", text, re.MULTILINE)]
    assert len(shown) == len(set(shown))
    assert set(shown) == set(skiptune.__all__) - {"__version__"}


def test_the_overview_links_every_page() -> None:
    overview = (REFERENCE / "index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\((\S+\.md)\)", overview))
    assert linked == {path.name for path in REFERENCE.glob("*.md")} - {"index.md"}
