"""Whole runs through the command line: what they leave, going on after a kill, and being refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import skiptune
from own_process import command
from skiptune.core.formatting import change, milliseconds
from skiptune.core.measured_text import difference, latency_change, quality, verdict
from skiptune.reporting.results import Results
from skiptune.reporting.wording import sizes


@pytest.fixture(scope="module")
def finished(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was never interrupted."""
    from conftest import write_recipe

    folder = tmp_path_factory.mktemp("run")
    recipe = write_recipe(folder / "tiny.yaml", data_folder, output=str(folder / "out"), baselines=["random"])
    done = skiptune("run", str(recipe))
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout, encoding="utf-8")
    return folder / "out"


def test_results_hold_what_is_promised(finished: Path) -> None:
    results = json.loads((finished / "results.json").read_text())
    assert len(results["plan"]["skipped"]) == 2
    assert {"validation", "test"} <= results["metric"].keys()
    assert results["operations"]["with_plan"] < results["operations"]["original"]
    assert {"search", "train", "evaluation", "latency"} <= results["seconds"].keys()
    assert results["parameters"]["slim"] < results["parameters"]["total"]
    assert results["baselines"]["random"]["test"]["count"] == results["metric"]["test"]["count"] == 12
    assert results["versions"]["torch"]
    assert not (finished / "checkpoints" / "search").exists()
    assert (finished / "report.html").stat().st_size > 1000
    assert results["baselines"]["random"]["test"]["difference"]["interval"]
    assert results["priors"].keys() == {"most_frequent", "text_alone"}
    assert len(results["latency"]["batches"]["1"]["slim"]["seconds"]) == 2


def test_run_report_and_card_say_the_same(finished: Path) -> None:
    """Every number that stands for one thing is one text in a run's last lines, both reports and the card."""
    results = Results.load(finished / "results.json")
    test, random, timing = results.metric.test, results.baselines["random"].test, results.latency.batches["1"]["slim"]
    shown = [
        quality(test, "accuracy"),
        quality(random, "accuracy"),
        *(quality(found.test, "accuracy") for found in results.priors.values()),
        *(difference(found.parts["test"].difference) for found in results.beside.values()),
        *(verdict(found.parts["test"].difference).removeprefix("this plan ") for found in results.beside.values()),
        latency_change(timing),
        milliseconds(timing.median_s),
        "2 rounds are too few for a 95% interval",
        "most frequent answer",
        "question alone",
    ]
    pages = [finished / "report.html", finished / "report.md", finished / "slim" / "README.md"]
    for page in (finished.with_name("said.txt"), *pages):
        text = page.read_text(encoding="utf-8").replace("(-", "(−").replace(" -", " −").replace("\\", "")
        assert [one for one in shown if one not in text] == [], page.name
    cost = f"{change(results.relative_macs)}"
    for page in (finished.with_name("said.txt"), *pages[:2]):
        text = page.read_text(encoding="utf-8").replace(" -", " −")
        assert cost in text
        assert sizes(results.input) in text


def test_steps_work_on_a_finished_run(finished: Path, data_folder: Path, tmp_path: Path) -> None:
    test = json.loads((finished / "results.json").read_text())["metric"]["test"]["accuracy"]
    found = skiptune(
        "evaluate", str(finished), "--data", str(data_folder / "test.jsonl"), "--images", str(data_folder / "images"),
        "--predictions", str(tmp_path / "answers.jsonl"), "--json",
    )  # fmt: skip
    assert json.loads(found.stdout)["accuracy"] == test
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 12
    image = str(data_folder / "images" / "0.png")
    answers = json.loads(skiptune("predict", str(finished), image, "what colour is it?", "--json").stdout)
    assert {entry["answer"] for entry in answers} == {"red", "green", "blue", "yellow"}
    assert skiptune("report", str(finished)).returncode == 0


def test_the_batch_may_be_split_up_another_way_but_not_change(finished: Path) -> None:
    recipe = str(finished.with_name("tiny.yaml"))
    refused = skiptune("train", recipe, "--set", "train.batch_size=4")
    assert refused.returncode != 0
    assert "8 examples a step" in refused.stderr
    assert "set train.batch_size to 8" in refused.stderr
    split = ("--set", "train.batch_size=4", "--set", "train.gradient_accumulation=2")
    assert skiptune("train", recipe, *split).returncode == 0


@pytest.mark.parametrize("step", ["search", "train"])
def test_killed_and_resumed_equals_uninterrupted(step: str, finished: Path, tiny_recipe: Callable[..., Path]) -> None:
    recipe = tiny_recipe(baselines=["random"])
    folder = recipe.with_name("recipe-run")
    process = command("run", recipe)
    deadline = time.monotonic() + 120
    plan, checkpoints = folder / "plan.json", folder / "checkpoints" / "train"
    while process.poll() is None and not (
        plan.is_file() if step == "train" else list(checkpoints.glob("checkpoint-*"))
    ):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (folder / "results.json").exists()
    done = skiptune("run", str(recipe))
    assert done.returncode == 0, done.stderr
    assert (folder / "trained.safetensors").read_bytes() == (finished / "trained.safetensors").read_bytes()
    plans = [json.loads((where / "plan.json").read_text()) for where in (folder, finished)]
    assert plans[0]["preferences"] == plans[1]["preferences"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": {"num_skip": 4}}, "at least one must be kept"),
        ({"budget": {"num_skip": 3}, "search": {"strategy": "policy", "candidates": 9}}, "there are only 4"),
        ({"budget": {"num_skip": None, "macs": -0.99}}, "cannot be met"),
        ({"model": "vilt-tinny"}, "did you mean 'vilt-tiny'"),
        ({"train": {"epohcs": 3, "seed": -1}}, "did you mean 'epochs'"),
        ({"data": {"train": "nowhere.jsonl"}}, "no such file"),
    ],
)
def test_mistakes_are_answered_with_a_sentence(changes, said: str, tiny_recipe: Callable[..., Path]) -> None:
    done = skiptune("run", str(tiny_recipe(**changes)))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_another_recipe_does_not_mix_into_a_run(finished: Path, tiny_recipe: Callable[..., Path]) -> None:
    done = skiptune("run", str(tiny_recipe(output=str(finished), train={"seed": 7})))
    assert done.returncode == 2
    assert "another train.seed; name another" in " ".join(done.stderr.split())
