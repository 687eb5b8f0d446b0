"""A run whose plan is given, with a token schedule: nothing is searched, and every result tells of the schedule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import skiptune as st
from conftest import Call
from skiptune.core.errors import InputError
from skiptune.inserting.selection import chosen_tokens
from skiptune.running.recipe import GivenPlan, Recipe

TOKENS = {"keep": {1: 0.5, 2: 0.25}, "way": "both"}
TOLD = "both: 50% from 1 on, 25% from 2 on"


def test_a_run_with_a_given_plan(call: Call, tiny_recipe: Callable[..., Path], tmp_path: Path) -> None:
    recipe = tiny_recipe(
        budget={"num_skip": 4},
        plan={"skip": [0], "tokens": TOKENS},
        train={"max_steps": 2, "save_steps": 9},
        baselines=[],
    )
    run = tmp_path / "run"
    code, output, error = call("run", recipe, "--set", f"output={run}")
    assert code == 0, error
    assert TOLD in output
    plan = st.Plan.load(run / "plan.json")
    assert (plan.skipped, plan.strategy, plan.steps, str(plan.tokens)) == (("0",), "given", 0, TOLD)
    results = json.loads((run / "results.json").read_text())
    assert results["plan"]["tokens"]["way"] == "both"
    assert results["operations"]["with_plan"] < results["operations"]["with_adapters"]
    assert "| 1 | kept, from here on 50% of the image tokens |" in (run / "report.md").read_text(encoding="utf-8")
    assert f"| image tokens | {TOLD} |" in (run / "slim" / "README.md").read_text(encoding="utf-8")
    assert (run / "patches.png").read_bytes().startswith(b"\x89PNG")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "from block 2 on 25%. Patches that were left out are dark" in page
    assert chosen_tokens(st.load(run / "slim")) == plan.tokens
    code, _, error = call("run", recipe, "--set", f"output={run}", "--set", "plan.tokens.way=merge")
    assert code == 2
    assert "plan.tokens" in error


def test_a_plain_export_of_a_schedule_is_refused_before_work(
    call: Call, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = tiny_recipe(
        budget={"num_skip": 4},
        plan={"tokens": TOKENS},
        export={"form": "plain"},
        adapters={"block_adapter": "lora", "skip_adapter": "none"},
    )
    code, _, error = call("run", recipe, "--set", f"output={tmp_path / 'run'}")
    assert code == 2
    assert "form: 'plain': both: 50% from 1 on" in error
    assert not (tmp_path / "run" / "plan.json").exists()


def test_a_plan_and_a_budget_are_one_too_many() -> None:
    with pytest.raises(InputError, match="the plan is given"):
        Recipe.from_dict({"output": "run", "budget": {"macs": -0.5}, "plan": {"skip": [0]}})
    with pytest.raises(InputError, match="it draws blocks within a budget"):
        Recipe.from_dict({"output": "run", "baselines": ["random"], "plan": {"skip": [0]}})
    with pytest.raises(InputError, match="give one of them"):
        GivenPlan()
