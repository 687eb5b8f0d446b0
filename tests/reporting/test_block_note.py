"""Why a report's skipped blocks need not be those of the highest preferences."""

from __future__ import annotations

from pathlib import Path

import pytest

from skiptune.reporting.report import write_report
from skiptune.reporting.results import Results


@pytest.mark.parametrize(
    ("strategy", "skipped", "told"), [("bandit", "a", True), ("bandit", "b", False), ("policy", "a", False)]
)
def test_a_set_is_chosen_and_not_blocks(strategy: str, skipped: str, told: bool, tmp_path: Path) -> None:
    plan = {
        "strategy": strategy,
        "blocks": ["a", "b", "c"],
        "skipped": [skipped],
        "preferences": {"a": 0.1, "b": 0.2, "c": 0.0},
    }
    write_report(tmp_path, Results.from_dict({"plan": plan}))
    for page in ("report.md", "report.html"):
        assert ("a block of higher preference may be kept" in (tmp_path / page).read_text(encoding="utf-8")) is told
