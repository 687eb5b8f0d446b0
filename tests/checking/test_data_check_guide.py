"""The guide to the data doctor: its example is what the command prints, and its table has every kind of findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Call, draw_square
from docs_pages import DOCS, PAGES
from skiptune.checking.kinds import KINDS
from skiptune.core.formatting import markdown_table

PAGE = next(page for page in PAGES if page.path == DOCS / "guides" / "data-check.md")


def test_the_example_is_what_the_command_prints(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, printed = PAGE.of_kind("text")
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for number, name in enumerate(("kitchen", "garden")):
        draw_square(Path("photos", f"{name}.png"), number)
    Path("rows.jsonl").write_text(rows, encoding="utf-8")
    code, out, _ = call("data", "check", "rows.jsonl", "--format", "llava", "--images", "photos", "--show", "2")
    assert code == 1
    assert [line.rstrip() for line in out.splitlines()] == printed.splitlines()


def test_every_kind_of_findings_is_in_the_table() -> None:
    shares = {0.0: "always", 1.0: "never"}
    rows = [
        (name, kind.what, kind.advice, shares.get(kind.remark_up_to) or f"above {kind.remark_up_to:.0%}")
        for name, kind in KINDS.items()
    ]
    assert markdown_table(("kind", "what it is", "what to do", "a fault"), rows) in PAGE.text
