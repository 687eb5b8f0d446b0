"""The report card shows what is in the results, leaves out what is not, and is safe to open and to pass on."""

from __future__ import annotations

import copy
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skiptune.reporting.report import write_report
from skiptune.reporting.results import Results

EVIL = "<script>alert('x')</script> \"quoted\" & `code` |pipe| [a](http://evil.example) ![](http://evil.example/x.png)"
RESULTS: dict[str, Any] = {
    "skiptune_version": "0.1.0",
    "recipe": {
        "output": "runs/x", "model": "vilt-tiny", "start": "pretrained",
        "budget": {"macs": -0.2},
        "data": {"name": "jsonl", "train": "/home/someone/secret/kitchen.jsonl"}, "train": {"learning_rate": 0.001},
    },
    "plan": {
        "strategy": "policy", "blocks": ["0", "1", "2", "3"], "skipped": ["1", "3"],
        "preferences": {"0": -1.25, "1": 1.5, "2": -0.75, "3": 0.625},
        "rounds": [{"step": 5, "preferences": [0.0, 0.5, 0.0, 0.1], "candidates": [[1, 3]], "losses": [2.0],
                    "rewards": [0.5]}],
        "comparisons": {"subnetworks": 37, "examples": 592, "seconds": 3.5}, "confidence": 0.41, "likely": 9,
        "sets": 66, "expected_regret": 0.0123, "spread": 0.456,
    },
    "metric": {
        "name": "accuracy",
        "validation": {"accuracy": 0.875, "loss": 1.5, "count": 400, "unknown_answers": 3},
        "test": {"accuracy": 0.8125, "loss": 1.75, "count": 1600, "unknown_answers": 7},
    },
    "samples": [
        {"image": "", "question": "what is it?", "accepted": ["bowl"], "given": "bowl", "score": 1.0},
        {"image": "/nowhere/gone.png", "question": "how many?", "accepted": ["2", "3"], "given": "4", "score": 0.0},
        {"image": "/nowhere/gone.png", "question": "which?", "accepted": ["a"], "given": "b", "score": 0.3},
    ],
    "baselines": {
        "random": {"skipped": ["0", "2"], "trainable": 1234, "seconds": 7.5,
                   "validation": {"accuracy": 0.5, "loss": 2.0, "count": 400},
                   "test": {"accuracy": 0.75, "loss": 2.0, "count": 1600,
                            "difference": {"value": 0.0625, "interval": [0.04, 0.08]}}},
    },
    "priors": {
        "most_frequent": {"test": {"accuracy": 0.25, "count": 1600, "interval": [0.23, 0.27],
                                   "difference": {"value": 0.5625, "interval": [0.53, 0.59]}}},
        "text_alone": {"test": {"accuracy": 0.8, "count": 1600, "interval": [0.78, 0.82],
                                "difference": {"value": 0.0125, "interval": [-0.01, 0.03]}}},
    },
    "operations": {"original": 2.0, "with_adapters": 2.25, "with_plan": 1.5},
    "relative_macs": -0.25,
    "input": {"image_size": [48, 64], "text_length": 11},
    "parameters": {"original": 1_000_000, "total": 1_250_000, "trainable": 250_000, "slim": 700_000},
    "bytes": {"slim": 3 * 2**20},
    "latency": {
        "device": "cpu", "threads": 2, "text_length": 11,
        "batches": {"1": {
            "original": {"median_s": 0.010, "p10_s": 0.009, "p90_s": 0.011, "ratio": 1.0},
            "unskipped": {"median_s": 0.012, "p10_s": 0.011, "p90_s": 0.013, "ratio": 1.2},
            "slim": {"median_s": 0.008, "p10_s": 0.007, "p90_s": 0.009, "ratio": 0.8,
                     "ratio_interval": [0.785, 0.82], "rounds": 30},
        }},
    },
    "history": {"search": [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.5}], "train": [{"step": 1, "loss": 2.0}]},
    "records": {"train": 3600, "validation": 400, "test": 1600, "bad_rows": {"train": 17}},
    "answers": 29,
    "seconds": {"search": 61.0, "train": 12.5, "evaluation": 1.0, "latency": None},
    "seed": 5,
    "versions": {"python": "3.11.7", "torch": "2.13.0"},
}  # fmt: skip


class Page(HTMLParser):
    """Text, tags and what the page would load."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.feed(source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] != "style":
            self.words.append(data)


def make(folder: Path, results: dict[str, Any]) -> tuple[Page, str]:
    write_report(folder, Results.from_dict(results))
    return Page((folder / "report.html").read_text(encoding="utf-8")), (folder / "report.md").read_text("utf-8")


def plain(markdown: str) -> str:
    return re.sub(r"\\(.)", r"\1", html.unescape(markdown))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, str]:
    return make(tmp_path_factory.mktemp("report"), RESULTS)


SHOWN = [
    "81.25%", "81.25% (79.26% to 83.09%)", "87.50%", "1,600", "−25.0%", "1.5 instead of 2 G",
    "−20.0%", "8.00 ms instead of 10.0 ms",
    "37, of them 1 different", "41%", "9 of 66", "0.0123", "0.456",
    "3 MiB", "700 k parameters instead of 1.00 M", "250 k", "policy", "seed 5", "what is it?", "bowl", "29 different",
    "17", "1 min 01 s", "12.5 s", "2.13.0", "2 of 4 blocks skipped",
    "−20.0% (−21.5% to −18.0%)", "for an image of 48 × 64 pixels and 11 tokens", "asked for −20.0%", "kitchen.jsonl",
    "gone.png",
]  # fmt: skip


@pytest.mark.parametrize("text", SHOWN)
def test_both_forms_show_what_is_in_the_results(text: str, made: tuple[Page, str]) -> None:
    assert text in made[0].text
    assert text in plain(made[1])


def test_others_stand_beside_the_plan_on_the_same_part(made: tuple[Page, str]) -> None:
    lines = {line.split("|")[1].strip(): line for line in plain(made[1]).splitlines() if line.count("|") == 9}
    rows = {name: [cell.strip() for cell in line.strip("|").split("|")] for name, line in lines.items()}
    assert rows["this plan"][1:4] == ["81.25% (79.26% to 83.09%)", "", ""]
    random = rows["random plan"]
    assert random[1:5] == ["75.00% (72.82% to 77.06%)", "+6.25 points (+4.00 to +8.00)", "this plan is better", "2"]
    assert random[6:] == ["1.23 k", "7.5 s"]
    assert rows["question alone"][2:4] == ["+1.25 points (−1.00 to +3.00)", "no difference measured"]
    assert rows["most frequent answer"][1] == "25.00% (23.00% to 27.00%)"
    assert "Beside the baselines" in made[0].text


def test_a_model_that_answers_worse_than_a_rule_without_images_is_told_so(
    tmp_path: Path, made: tuple[Page, str]
) -> None:
    said = "answers worse than a rule that sees no image"
    assert said not in made[0].text
    results = copy.deepcopy(RESULTS)
    results["priors"]["text_alone"]["test"]["difference"] = {"value": -0.05, "interval": [-0.08, -0.02]}
    page, markdown = make(tmp_path, results)
    assert said in page.text
    assert said in plain(markdown)


def test_a_busy_machine_is_told_wherever_times_are(tmp_path: Path) -> None:
    results = copy.deepcopy(RESULTS)
    results["latency"]["batches"]["1"]["unskipped"]["p90_s"] = 0.016
    page, markdown = make(tmp_path, results)
    said = (
        "the machine is busy: do not trust these times (10% to 90% of the rounds spread, of their median, batch 1: 42%)"
    )
    for text in (page.text, plain(markdown), str(Results.from_dict(results))):
        assert said in text or said.capitalize() in text


def test_times_of_a_model_that_writes_are_named(tmp_path: Path) -> None:
    """Measured is the prefill; the budget counts what follows it, too."""
    recipe = {**RESULTS["recipe"], "task": "generation", "budget": {"latency": -0.2, "decode_steps": 64}}
    results = {**copy.deepcopy(RESULTS), "recipe": recipe}
    page, markdown = make(tmp_path, results)
    asked = "asked for −20.0% of the prefill and 64 decode steps together"
    for text in (page.text, plain(markdown), str(Results.from_dict(results)).replace("-", "−")):
        assert "prefill latency, batch 1" in text.lower()
        assert asked in text
    assert "Timed is the prefill, the pass over the prompt" in page.text
    recipe["budget"] = {"latency": -0.2}
    assert "of the prefill and 16 decode steps together" in str(Results.from_dict(results))
    recipe["budget"] = {"macs": -0.2}
    assert str(Results.from_dict(results)).count("asked for -20.0% of the prefill") == 1
    assert "decode steps" not in str(Results.from_dict(results))


def test_each_block_is_shown_with_its_fate(made: tuple[Page, str]) -> None:
    for line in ("| 0 | kept | −1.250 |", "| 1 | skipped | +1.500 |", "| 3 | skipped | +0.625 |"):
        assert line in plain(made[1])
    assert made[0].text.count("skipped") >= 2
    assert "2 kept, 2 skipped" in made[0].text


def test_the_page_loads_nothing_and_runs_nothing(made: tuple[Page, str]) -> None:
    page = made[0]
    assert page.loads
    assert all(source.startswith("data:image/") for source in page.loads)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base", "a"} & set(page.tags)
    assert not page.handlers


def test_folders_of_the_machine_are_not_told(made: tuple[Page, str]) -> None:
    for text in (made[0].text, plain(made[1])):
        assert "secret" not in text
        assert "/nowhere" not in text


@pytest.mark.parametrize("missing", [*RESULTS, "test", "preferences", "rounds"])
def test_what_is_missing_is_left_out(missing: str, tmp_path: Path) -> None:
    results = copy.deepcopy(RESULTS)
    if missing == "baselines":
        del results["priors"]
    owner = {"test": results["metric"], "preferences": results["plan"], "rounds": results["plan"]}.get(missing, results)
    del owner[missing]
    if missing == "operations":
        del results["relative_macs"]
    if missing == "relative_macs":
        del results["operations"]
    page, markdown = make(tmp_path, results)
    assert "None" not in page.text
    assert "None" not in markdown
    titles = {"baselines": "Beside the baselines", "samples": "Sample questions", "recipe": "Recipe",
              "latency": "Latency", "operations": "Operations", "versions": "3.11.7"}  # fmt: skip
    if missing in titles:
        assert titles[missing] not in page.text
        assert titles[missing] not in plain(markdown)


def test_nothing_at_all_is_still_a_page(tmp_path: Path) -> None:
    page, markdown = make(tmp_path, {})
    assert "SkipTune report card" in page.text
    assert markdown.startswith("# SkipTune report card")


def test_no_text_can_become_markup(tmp_path: Path) -> None:
    results = copy.deepcopy(RESULTS)
    name = tmp_path / "<img src=x onerror=alert(1)>.png"
    Image.new("RGB", (4, 4)).save(name)
    results["samples"] = [
        {"image": str(name), "question": EVIL, "accepted": [EVIL, "b"], "given": EVIL, "score": 0.0},
        {"image": "bytes-\udcff.png", "question": "a\nb | c\n# d", "accepted": [], "given": "\u202eabc", "score": 0.0},
    ]
    results["recipe"]["model"] = EVIL
    results["plan"]["blocks"][0] = "<b>0</b>"
    results["plan"]["preferences"] = {"<b>0</b>": 1.0, "1": 0.5, "2": 0.0, "3": 0.25}
    results["versions"]["<i>x</i>"] = "<u>1</u>"
    results["metric"]["name"] = "<em>accuracy</em>"
    page, markdown = make(tmp_path, results)
    assert not {"script", "em", "i", "u", "a"} & set(page.tags)
    assert not page.handlers
    assert all(source.startswith("data:image/") for source in page.loads)
    assert " ".join(EVIL.split()) in page.text
    assert name.name in page.text
    outside = markdown[: markdown.index("## Recipe")]  # the recipe stands in a fence
    assert not re.search(r"<(?!/?$)[a-z]", outside)
    assert not re.search(r"(?<!\\)\]\(", outside)
    assert not re.search(r"^# d", outside, re.MULTILINE)
    rows = [line for line in outside.splitlines() if line.startswith("| ✗") or "a b" in line]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert rows


def test_a_fence_in_the_recipe_does_not_end_the_fence(tmp_path: Path) -> None:
    results = {**RESULTS, "recipe": {"model": "```\n# escaped", "output": "x"}}
    markdown = make(tmp_path, results)[1]
    fence = re.findall(r"^(`{3,})(?:yaml)?$", markdown, re.MULTILINE)
    assert len(fence[0]) > 3
    assert fence[0] == fence[-1]


def test_the_same_results_give_the_same_report(tmp_path: Path) -> None:
    write_report(tmp_path / "a", Results.from_dict(RESULTS))
    write_report(tmp_path / "b", Results.from_dict(json.loads(json.dumps(RESULTS))))
    for name in ("report.html", "report.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
