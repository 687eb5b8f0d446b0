"""Numbers in the documentation have a JSON file and a command; the tables of results say what the files say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from result_cells import RESULT_PAGES, RESULTS, ROOT, Table
from result_sentences import SENTENCES
from result_tables import TABLES

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


def sections(page: Path) -> dict[str, str]:
    """Headings of a page below its title, each with its text up to the next."""
    parts = page.read_text(encoding="utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}


#: Page, heading and text of each section that shows something measured.
MEASURED = [(page.stem, *section) for page in sorted(RESULT_PAGES.glob("*.md")) for section in sections(page).items()
            if "Numbers" in section[1]]  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_tables_hold_what_the_files_say(table: Table) -> None:
    text = table.path.read_text(encoding="utf-8")
    assert table.written(text) == text, "python tests/docs/result_tables.py --write"


def test_every_table_is_made_of_a_file() -> None:
    shown = {(page, heading) for page, heading, text in MEASURED if "\n|" in text}
    assert shown == {(table.page, table.section) for table in TABLES}


def test_a_table_is_written_where_it_stands() -> None:
    table = Table("running", "Start-up", lambda: ["| c | d |", "| e | f |"])
    rows = "\n\n| | x |\n|---|---:|\n| a | b |\n\nNote.\n"
    page = f"# A\n\n## Start-up{rows}\n## Other{rows}"
    assert table.written(page) == page.replace("| a | b |", "| c | d |\n| e | f |", 1)
    for wrong in (page.replace("## Start-up", "## Elsewhere"), page.replace("| | x |", "| | x | z |", 1)):
        with pytest.raises(ValueError, match=r"running\.md, Start-up"):
            table.written(wrong)


@pytest.mark.parametrize("page", SENTENCES)
def test_sentences_hold_what_the_files_say(page: str) -> None:
    text = " ".join((RESULT_PAGES / f"{page}.md").read_text(encoding="utf-8").replace("**", "").split())
    assert [part for part in SENTENCES[page]() if part not in text] == []


def test_every_page_of_results_is_held() -> None:
    assert set(SENTENCES) == {page.stem for page in RESULT_PAGES.glob("*.md")}


@pytest.mark.parametrize(("page", "heading", "text"), MEASURED, ids=lambda part: part[:40])
def test_a_section_has_claim_command_and_what_is_not_shown(page: str, heading: str, text: str) -> None:
    paragraphs = text.split("\n\n")
    assert re.match(r"\*\*[^*]*\d[^*]*\.\*\*", paragraphs[0]), "the claim, a bold sentence with a figure"
    assert re.match(r"Command: `[^`]+`.* ·\sNumbers:\s\[", paragraphs[-2], re.DOTALL), (
        "Command: `…` · Numbers: [file](…)"
    )
    assert LINK.search(paragraphs[-2])
    assert paragraphs[-1].startswith("Not shown: ")


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
    """Sections of ``docs/results`` that other pages refer to; the site does not hold the README."""
    missing = []
    for page in PAGES:
        for link, part in re.findall(r"\]\(([^)\s#]*)#([\w-]+)\)", page.read_text(encoding="utf-8")):
            target = (page.parent / link).resolve() if link else page
            if target.parent == RESULT_PAGES:
                headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
                missing += [f"{page.name}: {link}#{part}"] if part not in anchors else []
    assert not missing
