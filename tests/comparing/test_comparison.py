"""Methods side by side: jobs, statistics, labels, and the command, which keeps what is done and survives a failure."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from own_process import OwnProcess
from skiptune import InputError, Run, RunError
from skiptune.comparing import job_pool
from skiptune.comparing.compare_results import CompareResults
from skiptune.comparing.comparison import MethodComparison
from skiptune.comparing.job_files import JOB, RECIPE, JobFile, JobResult
from skiptune.comparing.job_process import main as do_job
from skiptune.comparing.job_process import work
from skiptune.comparing.jobs import Job, budgets_of, job_recipe, jobs_of
from skiptune.comparing.label_placement import Box, Point, place
from skiptune.comparing.page import page
from skiptune.comparing.paired_tests import paired_test, sign_flip, two_sided
from skiptune.comparing.pareto_plot import area, pareto_plot
from skiptune.comparing.rows import paired, rows_of, structure
from skiptune.comparing.timing import timed
from skiptune.config import Budget
from skiptune.core.files import write_json
from skiptune.core.formatting import duration
from skiptune.core.measurements import Latency, Measured, Timing
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_macs
from skiptune.inserting.insert import insert
from skiptune.methods.compare_config import TOKEN_METHODS, USUAL
from skiptune.methods.method import NO_ADAPTERS
from skiptune.methods.registry import METHODS
from skiptune.plan import TokenSchedule
from skiptune.running.recipe import Recipe
from skiptune.running.recipe_reading import read_recipe
from skiptune.tasks.evaluation import evaluate

FEWER = TokenSchedule(keep={"1": 0.5, "2": 0.25})
SHORT: dict[str, Any] = {"search": {"max_steps": 2, "candidates": 3, "batches": 1}, "train": {"max_steps": 4}}


def recipe_of(tiny_recipe: Callable[..., Path], *, name: str = "recipe", **compare: Any) -> Recipe:
    return read_recipe(tiny_recipe(name, **SHORT, compare=compare))


@pytest.mark.parametrize(
    ("t", "degrees", "p"),
    [
        (2.776445, 4, 0.05),
        (4.302653, 2, 0.05),
        (12.7062, 1, 0.05),
        (1.0, 9, 0.343436),
        (0.0, 3, 1.0),
        (-3.0, 7, 0.019942),
    ],
)
def test_two_sided_probabilities_are_those_of_tables(t: float, degrees: int, p: float) -> None:
    assert two_sided(t, degrees) == pytest.approx(p, abs=1e-5)


def test_sign_flips_are_counted_exactly() -> None:
    assert sign_flip([1.0, 2.0, 3.0]) == 2 / 8
    assert sign_flip([1.0, -1.0]) == 1.0
    assert sign_flip([0.1] * 10) == 2 / 1024
    assert sign_flip([3.0, -1.0, 2.0]) == 4 / 8  # ±4 by two sign patterns, ±6 by two


def test_a_paired_test_is_of_the_differences() -> None:
    found = paired_test([3.0, 5.0, 4.0], [1.0, 2.0, 3.0])
    assert (found.mean, found.df) == (2.0, 2)
    assert found.t == pytest.approx(2 / (1 / math.sqrt(3)))
    assert paired_test([2.0, 2.0], [1.0, 1.0]).p_t is None
    assert paired_test([2.0], [1.0]).se is None


def test_a_comparison_without_scipy_is_refused_before_any_training(
    tiny_recipe: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(tiny_recipe)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(InputError, match=r'scipy is not installed; run: pip install "skiptune\[compare\]"'):
        MethodComparison(recipe)
    assert not Path(recipe.output).exists()


def test_labels_cover_nothing() -> None:
    generator = np.random.default_rng(0)
    points = [
        Point(float(x), float(y), 6, float(w), 14)
        for x, y, w in generator.uniform((60, 60, 8), (640, 440, 90), (30, 3))
    ]
    within = Box(0, 0, 700, 500)
    boxes = place(points, within)
    assert all(box.inside(within) for box in boxes)
    assert all(one.overlap(other) == 0 for one, other in combinations(boxes, 2))
    markers = [Box.around(point.x, point.y, 12, 12) for point in points]
    assert all(box.overlap(marker) == 0 for box in boxes for marker in markers)
    alone = place([Point(350, 250, 6, 40, 14)], within)[0]
    assert math.dist(alone.nearest(350, 250), (350, 250)) < 10


def test_jobs_are_methods_by_seeds_and_the_sweep(tiny_recipe: Callable[..., Path]) -> None:
    methods = ["lora", "das-lora", "heuristic-bottleneck"]
    recipe = recipe_of(tiny_recipe, seeds=[0, 1], sweep_seeds=[5], methods=methods, levels=[1, 2, 3, 2])
    budgets = budgets_of(recipe)
    assert [budget.num_skip for budget in budgets] == [2, 1, 3]
    jobs = jobs_of(recipe, budgets, recipe.compare.methods)
    main = [(job.name, job.seed) for job in jobs[:6]]
    assert main == [(name, seed) for seed in (0, 1) for name in ("lora", "das-lora-2", "heuristic-bottleneck-2")]
    assert [(job.name, job.seed) for job in jobs[6:]] == [("das-lora-1", 5), ("das-lora-3", 5)]
    mixed = recipe_of(tiny_recipe, levels=[-0.25, 2])
    assert [job.name for job in jobs_of(mixed, budgets_of(mixed), ["das-lora"])][-1] == "das-lora-macs-0.25"
    assert len(budgets_of(mixed)) == 2


def test_the_levels_asked_for_are_trained_and_no_others(tiny_recipe: Callable[..., Path]) -> None:
    def names(**compare: Any) -> set[str]:
        recipe = recipe_of(tiny_recipe, methods=["lora", "random-lora", "heuristic-lora"], **compare)
        return {job.name for job in jobs_of(recipe, budgets_of(recipe), recipe.compare.methods)}

    assert names() == names(levels=[]) == {"lora", "random-lora-2", "heuristic-lora-2"}
    assert names(levels=[1, 3]) == {"lora", "random-lora-1", "heuristic-lora-1", "random-lora-3"}
    assert names(levels=[-0.2]) == {"lora", "random-lora-macs-0.2", "heuristic-lora-macs-0.2"}


def test_a_jobs_recipe_differs_in_what_the_method_says_and_no_more(tiny_recipe: Callable[..., Path]) -> None:
    recipe = recipe_of(tiny_recipe, learning_rate_factors={"das-lora": 0.5})
    made = job_recipe(recipe, Job("das-lora", Budget(num_skip=1), 7))
    assert made.adapters.block_adapter == "lora"
    assert made.budget.num_skip == 1
    assert made.train.seed == 7
    assert made.train.learning_rate_factors == {"block_adapters": 0.5, "skip_adapters": 0.5}
    assert (made.train.max_steps, made.model, made.data) == (recipe.train.max_steps, recipe.model, recipe.data)


def result(method: str, metric: float, skipped: int = 0, macs: float = 1.0) -> JobResult:
    return JobResult(
        method=method,
        seed=0,
        skipped=tuple(str(k) for k in range(skipped)),
        blocks=12,
        strategy="bandit",
        trainable=10,
        trainable_head=1,
        parameters=1000,
        macs_g=macs,
        part="test",
        metric_name="accuracy",
        metric=metric,
        measures=Measured(),
        train_s=2.0,
        evaluate_s=1.0,
        peak_gib=0.5,
        steps=5,
        search_steps=0,
        learning_rates={"body": 1e-3},
        threads=1,
    )


def made_up() -> tuple[dict[Job, JobResult], Latency]:
    """Two seeds of everything, as if trained."""
    results, budget = {}, Budget(num_skip=2)
    for seed in (0, 1):
        for number, name in enumerate(METHODS):
            skips, tokens = METHODS[name].skips, name in TOKEN_METHODS
            metric = 0.9 + 0.001 * number + 0.01 * seed - 0.4 * (name == "head")
            found = result(name, metric, 2 * skips, 1.0 - 0.2 * skips)
            found = found.replace(tokens=FEWER if tokens else None)
            results[Job(name, budget if METHODS[name].budgeted else None, seed)] = found
    forms = {structure(found) for found in results.values()}
    times = {
        form: Timing(median_s=0.001 * (1 + k), ratio=0.7, ratio_interval=(0.6, 0.8)) for k, form in enumerate(forms)
    }
    return results, Latency(batches={"1": times, "32": times}, threads=1, device="cpu", text_length=8)


def test_rows_tests_page_and_plot(tmp_path: Path) -> None:
    results, latency = made_up()
    rows = rows_of(results, latency)
    assert [row.name for row in rows][:4] == ["zero-shot", "full", "head", "bitfit"]
    by_name = {row.name: row for row in rows}
    full = by_name["full"]
    assert full.metric_mean == pytest.approx(90.6)
    assert full.metric_sd == pytest.approx(1 / math.sqrt(2))
    assert full.metric_se == pytest.approx(0.5)
    assert (full.trainable_percent, full.seeds, full.skipped) == (1.0, 2, 0)
    assert by_name["lora"].latency_s == full.latency_s == latency.batches["1"]["plain 1.000000000"].median_s
    assert by_name["das-lora-2"].skipped == 2
    assert rows_of(results, None)[0].latency_s is None
    assert by_name["tome-2"].tokens == {"0": FEWER, "1": FEWER}

    tests = {(test.searched, test.rival): test for test in paired(rows)}
    assert tests["das-lora-2", "random-lora-2"].mean == pytest.approx(-0.2)
    assert tests["das-bottleneck-2", "parallel"].pairs == 2
    assert tests["das-lora-2", "pumer-2"].mean < 0
    assert ("das-bottleneck-2", "pumer-2") not in tests

    content = {
        "rows": tuple(rows),
        "paired": tuple(tests.values()),
        "left_out": {"shallow-prompts": "it cannot"},
        "failed": [{"name": "lora", "seed": 3, "reason": "the loss is nan"}],
        "jobs": {"done": 30, "of": 31},
        "metric": {"name": "accuracy", "part": "test", "unit": "questions"},
        "model": "a $model$",
        "task": "vqa",
        "blocks": 12,
        "training": {"steps": 5, "batch_size": 8},
        "machine": {"device": "cpu"},
        "batch_sizes": [1],
        "notes": ["a note"],
        "command": "skiptune compare x",
    }
    found = CompareResults.from_dict(content)
    text = page(found)
    assert "| full tuning | 0 | 100% | 1.00 % |" in text
    assert "| ToMe, LoRA | 0 | 25% | 1.00 % |" in text
    fewer = page(found.replace(rows=rows[:3]))
    assert "| full tuning | 0 | 1.00 % |" in fewer
    for wanted in (
        "90.50 ± 0.71 (2)",
        "−30.0% (−40.0% to −20.0%)",
        "no difference measured",
        "it cannot",
        "the loss is nan",
        "a note",
        "skiptune compare x",
    ):
        assert wanted in text
    pareto_plot(tmp_path / "plot.png", found)
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert area(0.1) < area(1) < area(100)


def test_a_plan_is_better_only_if_records_and_seeds_say_so() -> None:
    searched, rival = (row for row in rows_of(made_up()[0], None) if row.name in ("das-lora-2", "random-lora-2"))
    few, many = ([1.0] * 3 + [0.0] * 9, [0.0] * 12), ([1.0] * 300 + [0.0] * 900, [0.0] * 1200)
    for (one, other), own, told in (
        (few, {"0": 90.0}, False),
        (many, {"0": 90.0}, True),
        (many, {"0": 90.0, "1": 91.0}, True),
        (many, {"0": 90.0, "1": 65.1}, False),
    ):
        scores = {searched.name: dict.fromkeys(own, one), rival.name: dict.fromkeys(own, other)}
        against = rival.replace(metric_by_seed={"0": 65.0, "1": 65.0})
        (test,) = paired([searched.replace(metric_by_seed=own), against], scores)
        assert test.interval is not None
        assert test.is_measured == told


def test_times_are_said_for_people() -> None:
    assert [duration(seconds) for seconds in (42, 720, 6000)] == ["42 s", "12 min", "1 h 40 min"]


@pytest.mark.parametrize("name", ["das-lora", "random-bottleneck", "heuristic-bottleneck", "shallow-prompts"])
def test_a_job_trains_the_whole_training_and_measures_the_slim_form(
    name: str, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = recipe_of(tiny_recipe, prompt_length=2)
    job = Job(name, Budget(num_skip=2) if METHODS[name].skips else None, 1)
    write_json(tmp_path / "recipe.json", job_recipe(recipe, job).to_dict())
    sizes = {"image_size": [48, 48], "text_length": 8}
    write_json(tmp_path / "job.json", {"method": name, **sizes, "threads": 1, "encoded": str(tmp_path / "encoded")})
    found = work(tmp_path)
    assert (found.steps, found.seed, found.part) == (4, 1, "test")
    assert len(found.skipped) == (2 if job.budget else 0)
    assert found.search_steps == {"das-lora": 2, "heuristic-bottleneck": 2}.get(name, 0)
    assert 0 <= found.metric <= 1
    assert 0 < found.trainable < found.parameters
    assert found.peak_gib > 0.1
    original = insert(Run(recipe).plain_model(), NO_ADAPTERS)
    macs = count_macs(original, example_inputs(original, (48, 48), 8))
    assert (found.macs_g < macs) == (name != "shallow-prompts")


@pytest.mark.parametrize("model", ["meter-tiny", "bridgetower-tiny"])
@pytest.mark.parametrize(
    "name", ["das-bottleneck", pytest.param("heuristic-lora", marks=pytest.mark.slow), "deep-prompts"]
)
def test_a_job_of_blocks_that_differ_meets_a_budget_of_operations(
    model: str, name: str, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    cache = 1 if model == "meter-tiny" else None
    recipe = read_recipe(tiny_recipe(**SHORT, model=model, compare={"levels": [-0.1]}, encoder_cache=cache))
    job = jobs_of(recipe, budgets_of(recipe), [name])[-1]
    write_json(tmp_path / "recipe.json", job_recipe(recipe, job).to_dict())
    sizes = {"image_size": [48, 48], "text_length": 40}
    write_json(tmp_path / "job.json", {"method": name, **sizes, "threads": 1, "encoded": str(tmp_path / "encoded")})
    found = work(tmp_path)
    assert job.budget == (Budget(macs=-0.1) if METHODS[name].skips else None)
    original = insert(Run(recipe).plain_model(), NO_ADAPTERS)
    macs = count_macs(original, example_inputs(original, (48, 48), 40))
    assert (found.macs_g < macs) == METHODS[name].skips


def test_fewer_tokens_are_measured_and_timed_without_a_search(tiny_recipe: Callable[..., Path]) -> None:
    given: dict[str, Any] = {"methods": ["lora", "tome", "pumer"], "seeds": [0, 1]}
    comparison = MethodComparison(recipe_of(tiny_recipe, **given, levels=[-0.1, -0.9, 2]))
    assert [job.name for job in comparison.jobs] == ["lora", "lora", "tome-macs-0.1", "pumer-macs-0.1"]
    assert "all it can reach" in comparison.left_out["pumer, macs-0.9"]
    assert "needs a budget" in comparison.left_out["tome, 2"]
    one = comparison.jobs[2]
    write_json(one.folder(comparison.folder) / "recipe.json", job_recipe(comparison.recipe, one).to_dict())
    sizes = {"image_size": comparison.size, "text_length": comparison.length, "threads": 1, "encoded": "none"}
    write_json(one.folder(comparison.folder) / "job.json", {"method": "tome", **sizes})
    found = work(one.folder(comparison.folder))
    assert found.tokens is not None
    assert found.steps == 4
    latency = timed(comparison.run, {one: found}, comparison.size, comparison.length)
    assert latency.batches["1"][structure(found)].median_s > 0

    with pytest.raises(InputError, match="none of them can be used with this model and budget"):
        MethodComparison(recipe_of(tiny_recipe, name="none", methods=["tome"]))


@pytest.mark.slow
def test_a_failure_is_told_and_all_else_is_kept(tiny_recipe: Callable[..., Path]) -> None:
    given = {"methods": ["full", "ia3"], "seeds": [0], "levels": []}
    broken = recipe_of(tiny_recipe, **given, learning_rate_factors={"full": 2e9})
    with pytest.raises(RunError, match=r"1 of 2 trainings failed(.|\n)*full, seed 0: the loss is"):
        MethodComparison(broken, jobs=2).all()
    output = Path(broken.output)
    content = json.loads((output / "compare.json").read_text())
    assert [row["name"] for row in content["rows"]] == ["ia3"]
    assert content["failed"][0]["name"] == "full"
    assert content["jobs"] == {"done": 1, "of": 2}
    assert all(content["rows"][0][name] > 0 for name in ("latency_s", "peak_gib", "train_s"))
    assert (output / "compare.png").is_file()
    assert "the loss is" in (output / "compare.md").read_text()

    kept = output / "compare" / "ia3" / "0" / "result.json"
    written = kept.stat().st_mtime_ns
    rows = MethodComparison(recipe_of(tiny_recipe, **given), jobs=2, command="skiptune compare it").all()
    assert [row.name for row in rows] == ["full", "ia3"]
    assert rows[0].latency_s == rows[1].latency_s  # (IA)³ is merged away
    assert rows[1].trainable_percent < rows[0].trainable_percent < 100
    assert kept.stat().st_mtime_ns == written
    again = json.loads((output / "compare.json").read_text())
    assert (again["command"], again["failed"]) == ("skiptune compare it", [])

    with pytest.raises(InputError, match=r"other settings(.|\n)*ia3.*another train"):
        MethodComparison(recipe_of(tiny_recipe, **given, learning_rate_factors={"ia3": 1}))


def _start_job(folder: Path, recipe: Recipe, job: JobFile) -> OwnProcess:
    """As :func:`~skiptune.comparing.job_start.start_job`, without importing everything again."""
    write_json(folder / RECIPE, recipe.to_dict())
    write_json(folder / JOB, job.to_dict())
    return OwnProcess(_do_job, folder)


def _do_job(folder: Path) -> None:
    sys.argv = ["job_process", str(folder)]
    do_job()


def test_a_model_that_is_not_trained_is_measured_once(
    tiny_recipe: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_pool, "start_job", _start_job)
    recipe = recipe_of(tiny_recipe, methods=["zero-shot", "head"], seeds=[0, 1], levels=[])
    comparison = MethodComparison(recipe, jobs=2)
    rows = comparison.all()
    assert [(row.name, row.seeds) for row in rows] == [("zero-shot", 1), ("head", 2)]
    assert rows[0].trainable_percent == 0
    model, data = comparison.run.plain_model(), comparison.run.data
    assert rows[0].metric_mean == 100 * evaluate(model, comparison.run.task, data.test or data.validation).headline
    content = json.loads((comparison.folder / "compare.json").read_text())
    assert content["training"]["steps"] > 0
    assert "none for zero-shot" in (comparison.folder / "compare.md").read_text()


def test_what_cannot_work_is_refused_before_any_training(tiny_recipe: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"compare.levels: num_skip: 4 of 4 blocks"):
        MethodComparison(recipe_of(tiny_recipe, levels=[4]))
    with pytest.raises(InputError, match=r"compare.methods: 'loar'; did you mean 'lora'"):
        recipe_of(tiny_recipe, methods=["loar"])
    left = read_recipe(tiny_recipe("b", **SHORT, model="bridgetower-tiny", budget={"num_skip": 2}))
    comparison = MethodComparison(left)
    assert "bridgetower" in comparison.left_out["shallow-prompts"]
    assert len({job.method for job in comparison.jobs}) == len(USUAL) - 1
