"""A run that has begun goes on with a recipe in which some fields are others: what is done again, and what is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import Trainer

from conftest import write_recipe
from skiptune import InputError, Recipe, Run, read_recipe
from skiptune.core.digests import damaged_file
from skiptune.exporting.manifest import read_manifest
from skiptune.running.run_changes import changed_fields
from skiptune.training.training_log import TrainingLog

FILES = ("plan.json", "trained.safetensors", "evaluation.json", "latency.json", "slim/slim.safetensors")
LONGER = "train.max_steps=8"


@pytest.fixture(scope="module")
def finished(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run, beside its recipe."""
    folder = tmp_path_factory.mktemp("finished")
    train = {"max_steps": 6, "save_steps": 1}
    recipe = write_recipe(folder / "tiny.yaml", data_folder, search={"max_steps": 3, "interval": 1}, train=train)
    Run(read_recipe(recipe, output=str(folder / "run"))).all()
    return folder / "run"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Callable[..., Run]:
    """``run("train.max_steps=8")``: the run, in a copy of its directory, with a changed recipe."""
    shutil.copytree(finished, tmp_path / "run")
    return lambda *changes: Run(read_recipe(finished.with_name("tiny.yaml"), changes, str(tmp_path / "run")))


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def kept(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    return found


def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next trainings are killed after as many steps."""
    whole = Trainer.training_step

    def step(self: Trainer, *given: Any, **named: Any) -> Any:
        if self.state.global_step == steps:
            raise KeyboardInterrupt
        return whole(self, *given, **named)

    monkeypatch.setattr(Trainer, "training_step", step)


def test_what_changes_no_result_changes_none(run: Callable[..., Run]) -> None:
    same = run("train.save_steps=5", "train.workers=1", "compare.seeds=[3]", "train.gradient_checkpointing=true")
    before = contents(same.folder)
    same.all()
    assert contents(same.folder) == before
    assert (kept(same.folder)["train"]["save_steps"], kept(same.folder)["compare"]["seeds"]) == (5, [3])


def test_timings_are_taken_again(run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    timed = run("bench.batch_sizes=[1, 2]")
    before = contents(timed.folder)
    with monkeypatch.context() as patch:
        patch.setattr("skiptune.running.run.time_models", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            timed.all()
    assert contents(timed.folder) == before
    assert kept(timed.folder)["bench"]["batch_sizes"] == [1]
    again = run_again(timed)
    results = again.all()
    assert set(results.latency.batches) == {"1", "2"}
    after = contents(again.folder)
    assert {name for name in FILES if before[name] != after[name]} == {"latency.json"}
    assert kept(again.folder)["bench"]["batch_sizes"] == [1, 2]
    assert set(read_manifest(again.folder / "slim").extra["latency"]["batches"]) == {"1", "2"}
    assert damaged_file(again.folder) is None


def run_again(run: Run) -> Run:
    """The same command once more."""
    return Run(run.recipe)


def test_a_longer_training_replaces_the_results_when_it_is_done(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = run(LONGER, "train.eval_steps=1", "train.load_best=true")
    before, log = contents(longer.folder), TrainingLog.load(longer.folder / "logs" / "train.json")
    with monkeypatch.context() as patch:
        killed_after(1, patch)
        with pytest.raises(KeyboardInterrupt):
            longer.all()
    assert contents(longer.folder) == before
    assert kept(longer.folder)["train"]["max_steps"] == 6
    assert run().all().metric.test is not None  # the old recipe still has its results
    with monkeypatch.context() as patch:  # between the stage and the end
        patch.setattr("skiptune.running.longer_training.save_log", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_again(longer).all()
    assert (longer.folder / "longer" / "recipe.json").is_file()
    results = run_again(longer).all()
    after = contents(longer.folder)
    assert {name for name in FILES if before[name] == after[name]} == {"plan.json"}
    assert kept(longer.folder)["train"]["max_steps"] == 8
    both = TrainingLog.load(longer.folder / "logs" / "train.json")
    assert (both.steps, [entry.step for entry in both.evaluations]) == (log.steps + 2, [log.steps + 1, log.steps + 2])
    assert both.history[: len(log.history)] == log.history
    assert results.recipe.train["max_steps"] == 8
    assert (results.history.evaluations, results.history.best_step) == (both.evaluations, both.best_step)
    assert not any((longer.folder / name).exists() for name in ("longer", "checkpoints/longer-8"))
    with pytest.raises(
        InputError, match=r"train.max_steps: 6 steps are fewer than the 8 of the run.*--set train.max_steps=8"
    ):
        run().check()


def test_a_training_in_the_middle_goes_on_longer(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, folder = finished.with_name("tiny.yaml"), tmp_path / "begun"
    with monkeypatch.context() as patch:
        killed_after(5, patch)
        begun = Run(read_recipe(recipe, output=str(folder)))
        begun.check()
        begun.search()
        with pytest.raises(KeyboardInterrupt):
            begun.train()
    longer = Run(read_recipe(recipe, [LONGER], str(folder)))
    longer.check()
    longer.train()
    assert TrainingLog.load(folder / "logs" / "train.json").steps == 5
    assert kept(folder)["train"]["max_steps"] == 8


def test_a_method_is_added(run: Callable[..., Run]) -> None:
    more = run("baselines=[random]")
    before = contents(more.folder)
    assert set(more.all().baselines) == {"random"}
    assert contents(more.folder) == before
    assert set(read_manifest(more.folder / "slim").extra["baselines"]) == {"random"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("train.learning_rate=0.5", "train.learning_rate"),
        ("train.seed=5", "train.seed"),
        ("budget.num_skip=1", "budget.num_skip"),
        ("adapters.lora_rank=4", "adapters.lora_rank"),
        ("search.cost=0.3", "search.cost"),
        ("data.validation_share=0.3", "data.validation_share"),
        ("train.load_best=true", "train.eval_steps, train.load_best"),
        ("start=pretrained", "start"),
        ("train.epochs=3 train.load_best=true", "train.eval_steps, train.load_best"),  # max_steps stays
    ],
)
def test_what_would_need_another_run_is_refused_by_name(change: str, named: str, run: Callable[..., Run]) -> None:
    with pytest.raises(InputError, match=rf"holds a run with another {named};"):
        run(*change.split(), *(["train.eval_steps=2"] if "load_best" in change else [])).check()


def test_a_run_that_failed_before_any_work_locks_nothing(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, folder = finished.with_name("tiny.yaml"), tmp_path / "begun"
    with monkeypatch.context() as patch:
        killed_after(0, patch)
        with pytest.raises(KeyboardInterrupt):
            Run(read_recipe(recipe, ["train.learning_rate=0.1"], str(folder))).all()
    other = read_recipe(recipe, ["budget={num_skip: 1}", "train.seed=4"], str(folder))
    Run(other).check()
    assert Recipe.from_dict(kept(folder)) == other


def test_changes_have_names(finished: Path) -> None:
    recipe = read_recipe(finished.with_name("tiny.yaml"), output="x")
    other = recipe.replace(task="retrieval", train=recipe.train.replace(epochs=3, arguments={"logging_steps": 2}))
    assert changed_fields(recipe, other) == {"task", "retrieval", "train.epochs", "train.arguments"}
