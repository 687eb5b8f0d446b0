"""A run whose plan is nested: losses in the plan, the report and the card, and any number of blocks exported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from conftest import Call
from skiptune import load


def test_a_nested_run_exports_every_number_of_blocks(
    call: Call, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    search = {"strategy": "influence", "batches": 1, "max_steps": 1, "nested": True, "keep": [0]}
    recipe = tiny_recipe(search=search, train={"max_steps": 4, "save_steps": 9})
    run = tmp_path / "run"
    code, _, error = call("run", recipe, "--set", f"output={run}")
    assert code == 0, error
    nested = json.loads((run / "plan.json").read_text())["details"]["nested"]
    assert len(nested["losses"]) == 3
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "## Fewer blocks skipped" in report
    assert f"| 2 | {nested['order'][1]} | {nested['losses'][2]:.4f} |" in report
    assert "| 0 | search.keep names it |" in report
    card = (run / "slim" / "README.md").read_text(encoding="utf-8")
    assert f"| 1 | {nested['losses'][1]:.4f} |" in card
    code, _, error = call("export", run, tmp_path / "one", "--skip-count", "1")
    assert code == 0, error
    assert load(tmp_path / "one").manifest.plan.skipped == tuple(nested["order"][:1])
    small = (tmp_path / "one" / "README.md").read_text(encoding="utf-8")
    assert "this model skips 1." in small
    assert "Not measured when this was exported." in small
    code, _, error = call("export", run, tmp_path / "three", "--skip-count", "3")
    assert code == 2
    assert "skip count 3: not in [0, 2]" in error
