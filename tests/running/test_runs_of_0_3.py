"""Runs that version 0.3 began or finished: gone on with, and reported again, with the results that 0.3 gave."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from skiptune.cli.main import app
from skiptune.plan import Plan
from skiptune.running.begun_run import filled_in
from written_by_0_3 import FIXTURES, copied_to


def skiptune(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def numbers(report: str) -> Counter[str]:
    """Every number of a report but durations, whose unit depends on how long they are."""
    return Counter(re.findall(r"[−+×]?\d[\d.,]*(?![\d.,]| ?s\b)", report))


def test_the_same_recipe_goes_on_with_a_finished_run(tmp_path: Path) -> None:
    here = copied_to(tmp_path)
    run, before = here / "run", read(here / "run" / "results.json")
    kept = {path: path.read_bytes() for path in run.rglob("*.safetensors")}
    said = skiptune("run", run / "recipe.json", "--output", run)
    for line in (
        "skipped blocks:          2 of 4 (2, 3)",
        "validation accuracy:     0.00% (0.00% to 24.25%) of 12 questions",
        "test accuracy:           25.00% (8.89% to 53.23%) of 12 questions",
        "nothing skipped:       25.00%",
        "random plan:           25.00%",
        "full tuning:           25.00%",
        "operations:              -35.9% against the original model",
        "latency, batch 1:        -22.0%, 2.04 ms",
    ):
        assert line in said
    after = read(run / "results.json")
    for results in (before, after):
        for field in ("skiptune_version", "versions"):
            results.pop(field)
        results["recipe"].pop("output")
        for section in ("export", "generation", "plan"):  # of their own since then
            results["recipe"].pop(section, None)
        results["recipe"] = filled_in(results["recipe"])
    assert after == before
    assert {path: path.read_bytes() for path in run.rglob("*.safetensors")} == kept


def test_the_report_of_a_finished_run_is_written_again(tmp_path: Path) -> None:
    run = copied_to(tmp_path) / "run"
    (run / "report.md").unlink()
    skiptune("report", run)
    lost = numbers((FIXTURES / "run" / "report.md").read_text(encoding="utf-8"))
    lost -= numbers((run / "report.md").read_text(encoding="utf-8"))
    margin, ratios = "24.50", {"×1.000", "×0.931", "×0.780"}  # intervals and changes now
    assert lost.keys() <= {margin, *ratios, "0.00", "25.0", "1"}
    assert (run / "report.html").stat().st_size > 1000


def test_a_searched_run_is_trained_to_the_same_weights(tmp_path: Path) -> None:
    """``half`` is ``run`` as it was after the search."""
    half = copied_to(tmp_path) / "half"
    skiptune("train", half / "recipe.json", "--output", half)
    new, old = load_file(half / "trained.safetensors"), load_file(FIXTURES / "run" / "trained.safetensors")
    assert new.keys() == old.keys()
    for name, value in old.items():
        torch.testing.assert_close(new[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["run", "half", "policy"])
def test_plans_are_read_and_written_back(name: str, tmp_path: Path) -> None:
    path = FIXTURES / name / "plan.json"
    Plan.load(path).save(tmp_path / "plan.json")
    found, kept = read(tmp_path / "plan.json"), read(path)
    for section in ("budget", "search"):  # which have more fields now
        now, then = found["details"][section], kept["details"][section]
        found["details"][section] = {name: value for name, value in now.items() if name in then}
    assert found == kept


def test_a_plan_of_the_policy_is_trained_with(tmp_path: Path) -> None:
    policy = copied_to(tmp_path) / "policy"
    searched = (policy / "searched.safetensors").read_bytes()
    skiptune("train", policy / "recipe.json", "--output", policy)
    assert (policy / "searched.safetensors").read_bytes() == searched
    assert (policy / "trained.safetensors").is_file()
    assert read(policy / "logs" / "train.json")["steps"] == 10  # of 22, the search took 12
