"""Strategies side by side: one yardstick, each search done once, and a command that shows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from skiptune import InputError
from skiptune.inserting.selection import choose
from skiptune.plan import Plan
from skiptune.running.recipe_reading import read_recipe
from skiptune.running.run import Run
from skiptune.searching.strategy_comparison import StrategyRow
from skiptune.training.trained_state import load_trained, read_trained

SHORT = {"search": {"max_steps": 4, "batches": 1, "candidates": 3}, "train": {"max_steps": 12}}


def test_plans_are_judged_on_the_shared_adapters_and_kept(tiny_recipe: Callable[..., Path]) -> None:
    runner = Run(read_recipe(tiny_recipe(**SHORT)))
    runner.check()
    rows = runner.compare(["bandit", "policy", "first", "greedy"])
    folder = runner.folder / "compare"
    assert [row.loss for row in rows] == sorted(row.loss for row in rows)
    assert rows[0].regret == 0
    rows_written = json.loads((folder / "compare.json").read_text())["rows"]
    assert [StrategyRow(**{**row, "skipped": tuple(row["skipped"])}) for row in rows_written] == rows
    assert (folder / "compare.png").read_bytes().startswith(b"\x89PNG")
    by_name = {row.strategy: row for row in rows}
    assert by_name["first"].subnetworks == 0
    assert by_name["greedy"].subnetworks == 1 + 4 + 3
    assert by_name["bandit"].cost > 0

    model = runner.fresh_model().eval()
    load_trained(model, read_trained(folder / "warm.safetensors"))
    valid = runner.data.validation
    for row in rows:
        choose(model, row.skipped)
        with torch.no_grad():
            losses = [float(model(**runner.task.collate(valid[k : k + 8])).loss) for k in range(0, len(valid), 8)]
        sizes = [len(valid[k : k + 8]) for k in range(0, len(valid), 8)]
        mean = sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / len(valid)
        assert row.loss == pytest.approx(mean, rel=1e-5)

    written = {name: (folder / f"{name}.json").stat().st_mtime_ns for name in by_name}
    again = {row.strategy: row.loss for row in runner.compare(["first", "bandit"])}
    assert again == {name: by_name[name].loss for name in ("first", "bandit")}
    assert {name: (folder / f"{name}.json").stat().st_mtime_ns for name in by_name} == written
    assert not (runner.folder / "plan.json").exists()


def test_what_cannot_work_is_refused_before_any_search(tiny_recipe: Callable[..., Path]) -> None:
    runner = Run(read_recipe(tiny_recipe(search={"max_steps": 4, "candidates": 7}, train={"max_steps": 12})))
    runner.check()
    with pytest.raises(InputError, match="there are only 6"):
        runner.compare(["bandit", "policy"])
    assert not (runner.folder / "compare" / "warm.safetensors").exists()


def test_what_looks_once_chooses_as_in_a_search_of_its_own(tiny_recipe: Callable[..., Path]) -> None:
    """The shared warm-up is the search that each of them would have had."""
    compared = Run(read_recipe(tiny_recipe("one", **SHORT)))
    compared.check()
    compared.compare(["bandit", "influence"])
    for name in ("bandit", "influence"):
        search = {**SHORT["search"], "strategy": name}
        alone = Run(read_recipe(tiny_recipe(f"alone-{name}", search=search, train=SHORT["train"])))
        alone.check()
        plan, own = Plan.load(compared.folder / "compare" / f"{name}.json"), alone.search()
        assert plan.skipped == own.skipped
        assert plan.preferences == own.preferences


def test_the_command(tiny_recipe: Callable[..., Path]) -> None:
    from typer.testing import CliRunner

    from skiptune.cli.main import app

    recipe = str(tiny_recipe(**SHORT))
    found = CliRunner().invoke(app, ["search", recipe, "--compare", "--strategy", "last,even", "--json"])
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout[found.stdout.index("[") :])
    assert {row["strategy"] for row in rows} == {"last", "even"}
    wrong = CliRunner().invoke(app, ["search", recipe, "--compare", "--strategy", "lats,evne"])
    assert "'lats'" in str(wrong.exception)
    assert "'evne'" in str(wrong.exception)
