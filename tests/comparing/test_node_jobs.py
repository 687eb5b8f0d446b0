"""A job on a node writes what its process here would, and says why it failed as here. No Ray is needed for that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skiptune import InputError, read_recipe
from skiptune.comparing import job_on_node, node_jobs
from skiptune.comparing.job_files import JobResult, JobSettings
from skiptune.comparing.job_on_node import NodeJob, NodeResult, do_job
from skiptune.comparing.jobs import Job, finished, jobs_of
from skiptune.comparing.node_jobs import NodePool
from skiptune.core.measurements import Measured
from skiptune.running.recipe import Recipe
from skiptune.running.same_inputs import SameInputs
from skiptune.spreading.cluster import Cluster, Needs
from skiptune.spreading.node import NodeFacts
from skiptune.spreading.spread import Ended

SETTINGS = JobSettings(image_size=(48, 48), text_length=8, threads=1, encoded="elsewhere.sqlite")
NODE = NodeFacts(host="node-1", python="3.11.7", skiptune="0.4.0", torch="2.13.0")


def result(job: NodeJob) -> JobResult:
    return JobResult(
        method=job.file.method, seed=job.recipe.train.seed, skipped=(), blocks=3, strategy="none", trainable=10,
        trainable_head=1, parameters=1000, macs_g=1.0, part="test", metric_name="accuracy", metric=0.5,
        measures=Measured.from_dict({"accuracy": 0.5, "count": 12}), train_s=1.0, evaluate_s=1.0, peak_gib=None,
        steps=4, search_steps=0, learning_rates={}, threads=1, node=NODE,
    )  # fmt: skip


@pytest.fixture
def recipe(tiny_recipe: Callable[..., Path]) -> Recipe:
    return read_recipe(tiny_recipe(compare={"methods": ["lora", "head", "bitfit"], "seeds": [3]}))


def carry_out(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch, answers: Callable[[NodeJob], Ended[NodeJob, NodeResult]]
) -> tuple[list[Job], dict[Job, str | None]]:
    """Do the jobs of ``recipe`` with nodes that answer as told."""

    class Nodes:
        def __init__(self, *given: Any) -> None:
            self.items = list[NodeJob]()

        def __class_getitem__(cls, kinds: Any) -> type:
            return cls

        def __enter__(self) -> Nodes:
            return self

        def __exit__(self, *error: object) -> None: ...

        def add(self, item: NodeJob) -> None:
            self.items.append(item)

        def ended(self) -> Iterator[Ended[NodeJob, NodeResult]]:
            return map(answers, reversed(self.items))

    monkeypatch.setattr(node_jobs, "Spread", Nodes)
    monkeypatch.setattr(SameInputs, "check", lambda self, cluster: self)
    jobs, reasons = jobs_of(recipe, [recipe.budget], recipe.compare.methods), dict[Job, str | None]()
    pool = NodePool(Cluster("auto"), Needs(1), SameInputs(recipe, "{}"))
    pool.carry_out(recipe, jobs, SETTINGS, lambda job, seconds, why: reasons.update({job: why}))
    return jobs, reasons


def test_results_are_read_again_as_those_of_here(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, reasons = carry_out(
        recipe, monkeypatch, lambda job: Ended(job, NodeResult(result(job), "", 0, b"trained\n", 2.0))
    )
    assert reasons == dict.fromkeys(jobs)
    found = finished(recipe, jobs)  # so a comparison that goes on does not repeat them
    assert {job.method: kept.method for job, kept in found.items()} == {name: name for name in recipe.compare.methods}
    assert {kept.node for kept in found.values()} == {NODE}
    folder = jobs[0].folder(Path(recipe.output))
    assert (folder / "log.txt").read_bytes() == b"trained\n"
    assert json.loads((folder / "result.json").read_text())["recipe"]["output"] == str(folder)


def test_failures_are_told_as_those_of_here(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = {
        "lora": (NodeResult(None, "train.learning_rate: too large\n", 2, b"", 1.0), ""),
        "head": (NodeResult(None, "", -9, b"", 1.0), ""),
        "bitfit": (None, "The node died"),
    }
    jobs, reasons = carry_out(recipe, monkeypatch, lambda job: Ended(job, *ends[job.file.method]))
    log = next(job for job in jobs if job.method == "head").folder(Path(recipe.output)) / "log.txt"
    assert {job.method: why for job, why in reasons.items()} == {
        "lora": "train.learning_rate: too large",
        "head": f"killed by signal 9; out of memory? (see {log})",
        "bitfit": "The node died",
    }
    assert finished(recipe, jobs) == {}


def test_a_job_on_a_node_leaves_nothing_there(recipe: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Process:
        def __init__(self, folder: Path, given: Recipe, file: Any) -> None:
            assert (given.output, Path(file.encoded).parent) == (str(folder), folder)
            (folder / "result.json").write_text(json.dumps({**result(job).to_dict(), "recipe": {}}))
            (folder / "log.txt").write_bytes(b"trained\n")

        def poll(self) -> int:
            return 0

        def kill(self) -> None: ...

        def wait(self) -> int:
            return 0

    job = NodeJob(0, recipe, node_jobs.job_file(Job("lora", None, 3), SETTINGS), SameInputs(recipe, "{}"))
    monkeypatch.setattr(SameInputs, "check_here", lambda self: None)
    monkeypatch.setattr(job_on_node, "start_job", Process)
    monkeypatch.setattr(job_on_node, "facts_here", lambda: NODE)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = do_job(job)
    assert (found.result, found.log, found.code) == (result(job), b"trained\n", 0)
    assert not list(tmp_path.glob("skiptune-*"))


def test_a_node_with_other_data_trains_nothing(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: SameInputs) -> None:
        raise InputError("node-1: the model or the data are others there: train.jsonl is gone")

    monkeypatch.setattr(SameInputs, "check_here", refuse)
    file = node_jobs.job_file(Job("lora", None, 3), SETTINGS)
    found = do_job(NodeJob(0, recipe, file, SameInputs(recipe, "{}")))
    assert (found.result, found.failure) == (
        None,
        "node-1: the model or the data are others there: train.jsonl is gone",
    )
