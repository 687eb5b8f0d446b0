"""Cells of the tables of results, and the tables themselves, each with its page and its header."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
RESULT_PAGES = ROOT / "docs" / "results"
MINUS = "−"


@dataclass(frozen=True)
class Table:
    """The only table of a section of a page; ``rows`` makes what stands below its header."""

    page: str
    section: str
    rows: Callable[[], list[str]]

    @property
    def name(self) -> str:
        return self.rows.__name__

    @property
    def path(self) -> Path:
        return RESULT_PAGES / f"{self.page}.md"

    def written(self, text: str) -> str:
        """A page's text with this table's rows as the files have them now; its header stays.

        Raises:
            ValueError: if the section is not there, has not one table, or its header has other columns.
        """
        before, heading, rest = text.partition(f"\n## {self.section}\n")
        section, further, after = rest.partition("\n## ")
        lines = section.split("\n")
        places = [number for number, line in enumerate(lines) if line.startswith("|")]
        if not places or places != list(range(places[0], places[-1] + 1)):
            raise ValueError(f"{self.path}, {self.section}: there has to be one table")
        rows = self.rows()
        if {line.count(" |") for line in (lines[places[0]], *rows)} != {lines[places[0]].count(" |")}:
            raise ValueError(f"{self.path}, {self.section}: the header has other columns than {rows[0]}")
        lines[places[0] + 2 : places[-1] + 1] = rows
        return "".join([before, heading, "\n".join(lines), further, after])


def read(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def percent(value: float, digits: int = 0) -> str:
    """A share as a signed change, with a minus sign that is not a hyphen."""
    return f"{100 * value:+.{digits}f} %".replace("-", MINUS)


def change(value: float) -> str:
    """Likewise, in whole percent; none is +0 %."""
    return percent(value).replace(f"{MINUS}0 %", "+0 %")


def ratio(value: float) -> str:
    return f"{value:.2f}×"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def spread(mean: float, sd: float | None) -> str:
    return f"{mean:.1f}" if sd is None else f"{mean:.1f} ± {sd:.1f}"
