"""Numbers in the documentation have a JSON file and a command; the tables of results say what the files say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from result_sentences import sentences
from result_tables import RESULTS, TABLES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]*benchmarks/results/[^)\s]+)\)")
SCRIPT = re.compile(r"benchmarks/(?!NAME)\w+\.py")


def commands(content: Any) -> Iterator[str]:
    """Every ``command`` in a result, at any depth."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from [value] if name == "command" else commands(value)
    elif isinstance(content, list):
        for value in content:
            yield from commands(value)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_tables_hold_what_the_files_say(table: Callable[[], list[str]]) -> None:
    assert "\n".join(table()) in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


def test_sentences_hold_what_the_files_say() -> None:
    page = " ".join((ROOT / "docs" / "results.md").read_text(encoding="utf-8").replace("**", "").split())
    assert [part for part in sentences() if part not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_results_and_scripts_that_pages_name_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (page.parent / link).is_file()]
    missing += [script for script in SCRIPT.findall(text) if not (ROOT / script).is_file()]
    assert not missing


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.name)
def test_every_result_is_shown_and_has_a_command(path: Path) -> None:
    shown = {
        (page.parent / link).resolve() for page in PAGES for link in LINK.findall(page.read_text(encoding="utf-8"))
    }
    assert path in shown
    found = list(commands(json.loads(path.read_text(encoding="utf-8"))))
    assert found
    assert all(text.startswith("skiptune ") or SCRIPT.findall(text) for text in found)
    assert all((ROOT / script).is_file() for text in found for script in SCRIPT.findall(text))


def test_parts_of_links_lead_to_headings() -> None:
    """Sections of ``docs/results.md`` that other pages refer to."""
    headings = re.findall(r"^#+ (.*)$", (ROOT / "docs" / "results.md").read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert set(re.findall(r"\((?:\.\./|docs/)?results\.md#([\w-]+)\)", pages)) <= anchors
