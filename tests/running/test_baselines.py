"""Baselines of a run are methods of the comparison, trained as its jobs are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skiptune import Budget, InputError, Run, read_recipe
from skiptune.comparing.job_process import work
from skiptune.comparing.jobs import Job, job_recipe
from skiptune.core.files import write_json
from skiptune.methods.baseline_method import baseline_method
from skiptune.methods.registry import METHODS

SHORT: dict[str, Any] = {"search": {"max_steps": 2, "candidates": 3, "batches": 1}, "train": {"max_steps": 4}}


@pytest.mark.parametrize(("name", "method"), [("full", "full"), ("random", "random-lora"), ("das-lora", "das-lora")])
def test_a_baseline_ends_as_the_job_of_its_method(
    name: str, method: str, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = read_recipe(tiny_recipe(**SHORT, baselines=[name]))
    run = Run(recipe)
    run.check()
    baseline = run.baseline(name)
    skips = METHODS[method].skips
    job = Job(method, Budget(num_skip=2) if skips else None, recipe.train.seed)
    write_json(tmp_path / "recipe.json", job_recipe(recipe, job).to_dict())
    sizes = {"image_size": [48, 48], "text_length": 8, "threads": 1, "encoded": str(tmp_path / "encoded")}
    write_json(tmp_path / "job.json", {"method": method, **sizes})
    found = work(tmp_path)
    assert baseline.skipped == found.skipped
    assert len(baseline.skipped) == 2 * skips
    assert baseline.trainable == found.trainable + found.trainable_head
    assert baseline.test is not None
    assert baseline.test.loss == pytest.approx(found.measures.loss, rel=1e-4)
    assert not (run.folder / "checkpoints" / name).exists()
    assert run.step_seconds()[name] == baseline.seconds
    assert run.baseline(name) == baseline  # from its file


def test_short_names_have_the_adapters_of_the_run() -> None:
    assert baseline_method("unskipped", "lora") is METHODS["lora"]
    assert baseline_method("unskipped", "bottleneck") is METHODS["adapters"]
    assert not baseline_method("unskipped", "none").skips
    assert baseline_method("random", "bottleneck").name == "random-bottleneck"
    assert baseline_method("random", "none").skips
    assert baseline_method("bitfit", "lora") is METHODS["bitfit"]


def test_what_cannot_be_a_baseline_is_refused_before_any_work(tiny_recipe: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="did you mean 'random'"):
        read_recipe(tiny_recipe(baselines=["radnom"]))
    recipe = read_recipe(tiny_recipe("b", **SHORT, model="bridgetower-tiny", baselines=["shallow-prompts"]))
    with pytest.raises(InputError, match="shallow-prompts: no token can be added to the streams of bridgetower"):
        Run(recipe).check()
