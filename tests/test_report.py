"""The report card: complete, self-contained, escaped, and written even when parts of the results are missing."""

from __future__ import annotations

import base64
import copy
import io
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from skiptune.plots import spread
from skiptune.report import write_report

BLOCKS = [str(number) for number in range(6)]
SKIPPED = ["1", "4"]
PREFERENCES = dict(zip(BLOCKS, [-0.5, 1.25, -0.25, 0.0, 0.75, -1.25], strict=True))
VOID = {"meta", "img"}


class Page(HTMLParser):
    """Visible text, images and tags of a page; fails on tags that do not match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def images(self, kind: str) -> list[bytes]:
        sources = [attributes["src"] or "" for tag, attributes in self.tags if tag == "img"]
        start = f"data:image/{kind};base64,"
        return [base64.b64decode(source.removeprefix(start)) for source in sources if source.startswith(start)]

    def with_class(self, name: str) -> list[str]:
        return [tag for tag, attributes in self.tags if name in (attributes.get("class") or "").split()]


def measured(accuracy: float, count: int = 9673) -> dict[str, Any]:
    return {"accuracy": accuracy, "loss": 0.4321, "count": count, "unknown_answers": 3}


def times(median: float, ratio: float) -> dict[str, float]:
    return {"median_s": median, "p10_s": 0.9 * median, "p90_s": 1.2 * median, "ratio": ratio}


def baseline(accuracy: float, skipped: list[str], test: bool = True) -> dict[str, Any]:
    parts = {"validation": measured(accuracy + 0.01), "test": measured(accuracy) if test else None}
    return {"skipped": skipped, "trainable": 462_221, "seconds": 230.0, **parts}


@pytest.fixture
def results(tmp_path: Path) -> dict[str, Any]:
    """What a finished run leaves in results.json."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (64, 48), "#c01020").save(pictures / "red.png")
    Image.new("RGBA", (1200, 600), "#1030c0").save(pictures / "wide.png")
    sample = {"question": "what colour?", "accepted": ["red"], "given": "red", "score": 1.0}
    batches = {
        "1": {"original": times(0.0208, 1.0), "unskipped": times(0.0231, 1.11), "slim": times(0.0191, 0.92)},
        "32": {"original": times(0.219, 1.0), "unskipped": times(0.246, 1.12), "slim": times(0.181, 0.784)},
    }
    rounds = [
        {"step": step, "preferences": [value * step / 30 for value in PREFERENCES.values()]} for step in (10, 20, 30)
    ]
    return {
        "skiptune_version": "0.1.0",
        "recipe": {
            "output": "/home/someone/runs/demo",
            "model": "vilt-scenes",
            "start": "pretrained",
            "baselines": ["unskipped", "full"],
            "data": {"name": "jsonl", "train": "/home/someone/data/train.jsonl", "test": None},
            "bench": {"batch_sizes": [1, 32]},
        },
        "plan": {
            "strategy": "policy",
            "blocks": BLOCKS,
            "skipped": SKIPPED,
            "preferences": PREFERENCES,
            "rounds": rounds,
        },
        "metric": {"name": "accuracy", "validation": measured(0.9377, 3831), "test": measured(0.9312)},
        "samples": [
            {**sample, "image": str(pictures / "red.png")},
            {**sample, "image": str(pictures / "wide.png"), "given": "green", "score": 0.0},
            {**sample, "image": str(pictures / "gone.png"), "given": "crimson", "score": 0.6},
        ],
        "baselines": {"unskipped": baseline(0.9381, []), "full": baseline(0.9455, [])},
        "operations": {"original": 0.125, "with_adapters": 0.1347, "with_plan": 0.0937},
        "relative_macs": -0.2504,
        "input": {"image_size": [72, 72], "text_length": 12},
        "parameters": {
            "original": 2_564_237,
            "total": 2_972_813,
            "trainable": 462_221,
            "head": 36_877,
            "slim": 1_976_205,
        },
        "bytes": {"slim": 7_951_426},
        "latency": {"batches": batches, "threads": 2, "device": "cpu", "text_length": 12},
        "history": {
            "search": [{"step": 5 * k, "loss": 9.0 / k} for k in range(1, 7)],
            "train": [{"step": 5 * k, "loss": 3.0 / k} for k in range(1, 13)],
        },
        "records": {"train": 34000, "validation": 3831, "test": 9673, "bad_rows": {"train": 7}},
        "answers": 13,
        "seconds": {"search": 4000.0, "train": 163.2, "unskipped": 230.0, "latency": 5.04},
        "seed": 0,
        "versions": {"python": "3.11.7", "torch": "2.13.0+cpu"},
    }


def write(folder: Path, results: dict[str, Any]) -> tuple[Page, str]:
    """The page and the Markdown written for ``results``."""
    write_report(folder / "run", results)
    page, markdown = ((folder / "run" / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    return Page(page), markdown


def test_nothing_else_is_left(tmp_path: Path, results: dict[str, Any]) -> None:
    write(tmp_path, results)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["report.html", "report.md"]


@pytest.mark.parametrize(
    "shown",
    ["93.1%", "93.8% with nothing skipped", "−25.0%", "−8.0%", "−21.6%", "19.1 ms instead of 20.8 ms"]
    + ["7.58 MiB", "1.98 M parameters instead of 2.56 M", "18.0%", "2,564,237", "+0.69 points", "94.55% ± 0.45%"]
    + ["1 h 06 min", "2 min 43 s", "5.0 s", "2.13.0+cpu", "+7.8%", "72 × 72 pixels", "train.jsonl", "34,000"],
)
def test_numbers_are_shown_in_both(tmp_path: Path, results: dict[str, Any], shown: str) -> None:
    page, markdown = write(tmp_path, results)
    assert shown in page.text
    assert shown in markdown


def test_same_results_same_files(tmp_path: Path, results: dict[str, Any]) -> None:
    write_report(tmp_path / "one", results)
    write_report(tmp_path / "two", copy.deepcopy(results))
    for name in ("report.md", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_results_are_not_changed(tmp_path: Path, results: dict[str, Any]) -> None:
    before = copy.deepcopy(results)
    write_report(tmp_path, results)
    assert results == before


def test_page_loads_nothing(tmp_path: Path, results: dict[str, Any]) -> None:
    page, _ = write(tmp_path, results)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "a"}
    addresses = [
        value or "" for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert addresses
    assert all(address.startswith("data:image/") for address in addresses)


def test_figures_are_drawings(tmp_path: Path, results: dict[str, Any]) -> None:
    drawings = write(tmp_path, results)[0].images("svg+xml")
    assert len(drawings) == 4
    for drawing in drawings:
        assert ElementTree.fromstring(drawing).tag.endswith("svg")


def test_images_are_embedded_small(tmp_path: Path, results: dict[str, Any]) -> None:
    page, _ = write(tmp_path, results)
    sizes = [Image.open(io.BytesIO(content)).size for content in page.images("jpeg")]
    assert sizes == [(64, 48), (240, 120)]
    with Image.open(io.BytesIO(page.images("jpeg")[0])) as opened:
        pixel = opened.convert("RGB").getpixel((32, 24))
    assert isinstance(pixel, tuple)
    assert all(abs(found - wanted) <= 4 for found, wanted in zip(pixel, (0xC0, 0x10, 0x20), strict=True))


@pytest.mark.parametrize("content", [None, b"", b"not an image", "truncated"])
def test_unreadable_image_is_a_placeholder(
    tmp_path: Path, results: dict[str, Any], content: bytes | str | None
) -> None:
    path = tmp_path / "pictures" / "gone.png"
    if content == "truncated":
        path.write_bytes((tmp_path / "pictures" / "wide.png").read_bytes()[:60])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    page, _ = write(tmp_path, results)
    assert "image cannot be read" in page.text
    assert "gone.png" in page.text
    assert len(page.with_class("missing")) == 1


def test_right_and_wrong_have_symbols(tmp_path: Path, results: dict[str, Any]) -> None:
    results["samples"].append({**results["samples"][0], "accepted": [], "score": 0.0})
    page, markdown = write(tmp_path, results)
    assert [len(page.with_class(kind)) for kind in ("right", "wrong", "partly", "unknown")] == [1, 1, 1, 1]
    for symbol, word in (("✓", "right"), ("✗", "wrong"), ("◐", "scores 0.6"), ("?", "nothing to compare with")):
        assert symbol in page.text
        assert f"| {symbol} {word} |" in markdown


def test_strip_shows_every_block(tmp_path: Path, results: dict[str, Any]) -> None:
    page, markdown = write(tmp_path, results)
    states = [attributes["class"] for tag, attributes in page.tags if tag == "li"]
    assert states == ["kept", "skipped", "kept", "kept", "skipped", "kept"]
    assert "4 kept, 2 skipped" in page.text
    assert "| 4 | skipped | +0.750 |" in markdown


def test_no_path_and_no_home_in_the_output(tmp_path: Path, results: dict[str, Any]) -> None:
    results["recipe"]["data"]["images"] = "C:\\Users\\someone\\pictures"
    results["recipe"]["model"] = "/home/someone/models/my-vilt"
    write_report(tmp_path, results)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "someone" not in text
        assert str(tmp_path) not in text
        assert "my-vilt" in text


def test_recipe_is_yaml(tmp_path: Path, results: dict[str, Any]) -> None:
    page, markdown = write(tmp_path, results)
    found = re.search(r"```yaml\n(.*?)```", markdown, re.DOTALL)
    assert found
    recipe = yaml.safe_load(found[1])
    assert recipe == {
        **results["recipe"],
        "output": "demo",
        "data": {**results["recipe"]["data"], "train": "train.jsonl"},
    }
    assert found[1].strip() in page.text


EVIL = "<script>alert(1)</script>|`*_[x](http://e.x)\n# $x^$ & \"'\udce9"


def test_data_is_escaped(tmp_path: Path, results: dict[str, Any]) -> None:
    results["recipe"]["model"] = results["metric"]["name"] = EVIL
    results["recipe"]["note"] = EVIL + "\n```\n<script>"
    results["plan"].update(blocks=[EVIL, "b"], skipped=[EVIL], preferences={EVIL: 1.0, "b": -1.0}, strategy=EVIL)
    results["plan"]["rounds"] = [{"step": 3, "preferences": [1.0, -1.0]}]
    results["versions"][EVIL] = EVIL
    results["seconds"][EVIL] = 3.0
    results["latency"]["device"] = EVIL
    results["baselines"][EVIL] = baseline(0.5, [EVIL])
    results["samples"] = [{"image": EVIL, "question": EVIL, "accepted": [EVIL], "given": EVIL, "score": 0.0}]
    page, markdown = write(tmp_path, results)
    assert not page.with_class("script")
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script>alert(1)</script>" in page.text
    prose, _, recipe = markdown.partition("## Recipe")
    assert "<script" not in prose
    rows = [line for line in prose.splitlines() if "alert" in line and line.startswith("|")]
    assert rows
    assert all("\\|\\`\\*\\_\\[x\\]" in row for row in rows)
    assert recipe.strip().startswith("````yaml\n")
    assert recipe.strip().endswith("\n````")


def test_no_test_part_shows_validation(tmp_path: Path, results: dict[str, Any]) -> None:
    del results["metric"]["test"]
    results["baselines"] = {"unskipped": baseline(0.93, [], test=False)}
    page, markdown = write(tmp_path, results)
    assert "Validation accuracy" in page.text
    assert "Test accuracy" not in page.text
    assert "94.0% with nothing skipped" in markdown
    assert "measured on the validation part" in markdown


def test_nothing_searched(tmp_path: Path, results: dict[str, Any]) -> None:
    results["plan"] = {"strategy": "none", "blocks": BLOCKS, "skipped": [], "preferences": None, "rounds": []}
    results["history"] = {"search": [], "train": [{"step": 1, "loss": 0.0}]}
    results["baselines"] = {}
    results["seconds"]["search"] = None
    page, markdown = write(tmp_path, results)
    assert len(page.images("svg+xml")) == 2
    assert "Preferences" not in page.text
    assert "Beside the baselines" not in page.text + markdown
    assert "search |" not in markdown
    assert "0 of 6 blocks skipped" in markdown


def test_one_batch_size_is_one_headline(tmp_path: Path, results: dict[str, Any]) -> None:
    del results["latency"]["batches"]["1"]
    page, _ = write(tmp_path, results)
    assert page.text.count("Latency, batch 32") == 1
    assert len(page.with_class("tile")) == 5


def test_largest_batch_is_found_by_number(tmp_path: Path, results: dict[str, Any]) -> None:
    batches = results["latency"]["batches"]
    results["latency"]["batches"] = {"128": batches["32"], "16": batches["32"], "2": batches["1"]}
    _, markdown = write(tmp_path, results)
    assert re.findall(r"Latency, batch (\d+)", markdown) == ["2", "128"]


def test_start_from_search_is_said(tmp_path: Path, results: dict[str, Any]) -> None:
    assert "went on from the adapters" not in write(tmp_path, results)[1]
    results["recipe"]["start"] = "search"
    assert "went on from the adapters" in write(tmp_path, results)[1]


def test_any_part_may_be_missing(tmp_path: Path, results: dict[str, Any]) -> None:
    for name in results:
        page, _ = write(tmp_path, {key: value for key, value in results.items() if key != name})
        assert page.text.startswith("\n\n\n\n\nSkipTune report card") or "SkipTune report card" in page.text
    page, markdown = write(tmp_path, {})
    assert markdown == "# SkipTune report card\n"
    assert not page.images("svg+xml")


@pytest.mark.parametrize("count", [1, 16, 17, 80])
def test_any_number_of_blocks(tmp_path: Path, results: dict[str, Any], count: int) -> None:
    names = [f"cross_modal_image_layers.{number}" for number in range(count)]
    skipped = names[: count // 2]
    preferences = {name: 0.01 * number for number, name in enumerate(names)}
    rounds = [{"step": 4, "preferences": list(preferences.values())}]
    results["plan"].update(blocks=names, skipped=skipped, preferences=preferences, rounds=rounds)
    page, _ = write(tmp_path, results)
    assert sum(tag == "li" for tag, _ in page.tags) == count


@pytest.mark.parametrize("values", [[0.0] * 5, [0.0, 0.1, 5.0, 9.9, 10.0], [1.0, 4.0, 7.0], [10.0] * 11, [3.0], []])
def test_spread_keeps_apart_and_inside(values: list[float]) -> None:
    places = spread(values, 0.0, 10.0, 1.0)
    assert len(places) == len(values)
    assert all(0 <= place <= 10 for place in places)
    assert all(after - before >= 1 - 1e-9 for before, after in zip(places, places[1:], strict=False))


def test_spread_leaves_what_fits() -> None:
    assert spread([1.0, 4.0, 7.0], 0.0, 10.0, 1.0) == [1.0, 4.0, 7.0]
