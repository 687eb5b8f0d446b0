"""results.json: written and read as version 0.3 did, edited files refused, the summary that a run ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from skiptune import InputError
from skiptune.reporting.report import write_report
from skiptune.reporting.results import Results

WRITTEN = Path(__file__).parents[1] / "fixtures" / "0.3" / "run" / "results.json"


@pytest.fixture
def content() -> dict[str, Any]:
    return json.loads(WRITTEN.read_text())


def test_results_of_version_0_3_are_read_and_written_as_they_were(content: dict[str, Any], tmp_path: Path) -> None:
    results = Results.load(WRITTEN)
    assert results.metric.test is not None
    assert results.metric.test.metrics == {"accuracy": 0.25}
    assert results.parameters is not None
    assert results.parameters.finally_trained == content["parameters"]["trained"]
    results.save(tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text()) == content


@pytest.mark.parametrize("missing", ["samples", "baselines", "latency", "history", "recipe", "seconds", "answers"])
def test_optional_parts_may_be_missing(missing: str, content: dict[str, Any]) -> None:
    del content[missing]
    results = Results.from_dict(content)
    assert results.to_dict() == Results.from_dict(results.to_dict()).to_dict()
    assert missing not in results.to_dict()
    assert "skipped blocks:          2 of 4 (2, 3)" in str(results)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("plan.blocks", 3, "plan.blocks: 3 is not a list"),
        ("plan.skipped", ["9"], "plan.skipped: '9' is none of the blocks"),
        ("plan.rounds.0.preferences", [0.5], "plan.rounds: round 1 does not give every block a preference"),
        ("metric.test.accuracy", "high", "metric.test.accuracy: 'high' is not"),
        ("metric.test.loss", float("nan"), "metric.test.loss: nan is not a number"),
        ("metric.test.count", True, "metric.test.count: True is not a whole number"),
        ("metric.name", "recall", "metric.test: accuracy is missing"),
        ("parameters.slim", 1.5, "parameters.slim: 1.5 is not a whole number"),
        ("latency.batches.1", {}, "latency.batches.1: slim is missing"),
        ("latency.batches", {"one": {}}, "latency.batches"),
        ("plan.spread", None, "plan.spread: missing, and confidence is given"),
        ("parameters.head", "many", "parameters.head: 'many' is not"),
        ("metric.test.count", -7, "metric.test.count: -7 is not a whole number of at least 0"),
        ("operations.original", 0, "operations.original: 0 is not"),
        ("paremeters", {}, "paremeters: unknown field; did you mean 'parameters'?"),
        ("plan", None, "there is no plan"),
    ],
)
def test_edited_results_are_refused_with_file_field_and_value(
    path: str, value: object, said: str, content: dict[str, Any], tmp_path: Path
) -> None:
    *folders, last = path.split(".")
    owner: Any = content
    for name in folders:
        owner = owner[int(name) if name.isdigit() and isinstance(owner, list) else name]
    owner[last] = value
    if path == "metric.name":
        owner["test"]["other"] = owner["test"].pop("accuracy")
    file = tmp_path / "results.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError) as refusal:
        Results.load(file)
    assert str(refusal.value).startswith(f"{file}: not the results of a run")
    assert said in str(refusal.value)


def test_names_of_files_may_hold_any_bytes(content: dict[str, Any], tmp_path: Path) -> None:
    content["samples"][0]["image"] = "bytes-\udcff.png"
    Results.from_dict(content).save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json").samples[0].image == "bytes-\udcff.png"


def test_printing_results_says_what_a_run_ends_with() -> None:
    assert str(Results.load(WRITTEN)).splitlines() == [
        "skipped blocks:          2 of 4 (2, 3)",
        "validation accuracy:     0.00% (0.00% to 24.25%) of 12 questions (the plan was chosen on them)",
        "test accuracy:           25.00% (8.89% to 53.23%) of 12 questions",
        "  nothing skipped:       25.00% (8.89% to 53.23%)",
        "  random plan:           25.00% (8.89% to 53.23%)",
        "  full tuning:           25.00% (8.89% to 53.23%)",
        "operations:              -35.9% against the original model, "
        "for an image of 48 × 64 pixels and 11 tokens of text",
        "latency, batch 1:        -22.0%, 2.04 ms instead of 2.62 ms",
    ]


def test_damaged_images_are_told(content: dict[str, Any], tmp_path: Path) -> None:
    assert "damaged images" not in str(Results.from_dict(content))
    content["records"]["bad_images"] = 3
    results = Results.from_dict(content)
    assert "damaged images:          3, replaced by the mean colour" in str(results)
    write_report(tmp_path, results)
    assert "replaced by the mean colour: 3" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_what_writes_no_page_imports_no_template_engine_and_draws_nothing() -> None:
    code = "import sys, skiptune.reporting.report; sys.exit(bool({'jinja2', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
