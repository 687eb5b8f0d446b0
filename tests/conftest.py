"""Shared by all tests: no network, one thread, and a tiny world of coloured squares with a model to match.

Everything is generated; nothing here trains for longer than a second. Fixtures that hand out mutable things (models)
are factories, the others are made once a session and must not be changed.
"""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import gc
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel

from skiptune import Record, SkipConfig, Vqa, insert, load_model, load_processor, read_jsonl, split_by_image
from skiptune.cli.main import main
from skiptune.core import progress

torch.set_num_threads(1)
progress._SILENT = 3600.0  # what is printed does not depend on how busy the machine is
os.fsync = lambda descriptor: None  # no test outlives a loss of power, and waiting for the disk takes time

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220), "yellow": (220, 220, 20)}
QUESTIONS = ("what colour is it?", "which colour is the square in the picture?", "colour?")
MODEL = "vilt-tiny"
MakeModel = Callable[..., PreTrainedModel]
Call = Callable[..., tuple[int, str, str]]


def draw_square(path: Path, number: int) -> str:
    """Save image ``number``, unlike any other, and return its colour. Every fourth is wider than high."""
    names = list(COLOURS)
    colour = names[(number + number // 4) % 4]
    image = Image.new("RGB", (64 if number % 4 == 3 else 48, 48), (10 * number, 60, 60))
    image.paste(COLOURS[colour], (12, 8 + number, 36, 32 + number // 2))
    image.save(path)
    return colour


def write_questions(path: Path, images: Path, numbers: Sequence[int]) -> None:
    rows = []
    for number in numbers:
        colour = draw_square(images / f"{number}.png", number)
        rows += [{"image": f"{number}.png", "question": question, "answer": colour} for question in QUESTIONS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


#: Files that take longest, with few tests: they begin first, so that no process is left alone with one at the end.
_FIRST = ("test_notebooks", "test_campaign_kills", "test_pages", "test_divided_batches", "test_distributed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """BridgeTower's two streams are METER's: what the other folders ask of every family, `make slow` asks of it."""
    for item in items:
        given = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
        bridgetower = any(isinstance(one, str) and one.startswith("bridgetower") for one in given)
        if bridgetower and item.path.parent.name != "families":
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.path.stem not in _FIRST)


@pytest.fixture(scope="module", autouse=True)
def less_garbage() -> None:
    """Every Trainer collects garbage: half a second, if it looks at all that is imported, and longer than most
    trainings here take."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``images/``, ``train.jsonl`` (48 questions on 16 images, 4 answers) and ``test.jsonl`` (12 on 4 others)."""
    folder = tmp_path_factory.mktemp("squares")
    (folder / "images").mkdir()
    write_questions(folder / "train.jsonl", folder / "images", range(16))
    write_questions(folder / "test.jsonl", folder / "images", range(16, 20))
    return folder


@pytest.fixture(scope="session")
def records(data_folder: Path) -> list[Record]:
    """The 48 training questions; some images are wider, so batches have padding."""
    return read_jsonl(data_folder / "train.jsonl", data_folder / "images").items


@pytest.fixture(scope="session")
def parts(records: list[Record]) -> tuple[list[Record], list[Record]]:
    """36 questions to train on, and 12 on other images to validate with."""
    return split_by_image(records, 0.25, seed=0)


@pytest.fixture(scope="session")
def task(records: list[Record]) -> Vqa:
    """What colour? Answers: blue, green, red, yellow."""
    return Vqa.from_records(load_processor(MODEL), records)


@pytest.fixture(scope="session")
def batch(task: Vqa, records: list[Record]) -> dict[str, Tensor]:
    """Six questions of different length on images of different size, with labels and both masks."""
    found = task.collate([*records[:2], *records[9:12], records[-1]])
    assert "pixel_mask" in found
    return found


@pytest.fixture
def make_model(task: Vqa) -> MakeModel:
    """``make_model(SkipConfig(...), noise=0.0, seed=0)``: a tiny ViLT for ``task`` in evaluation mode.

    Without a configuration it is transformers' own. ``noise`` moves every trainable parameter, so that adapters do
    something without having been trained.
    """

    def make(config: SkipConfig | None = None, noise: float = 0.0, seed: int = 0, name: str = MODEL) -> PreTrainedModel:
        model = load_model(name, task.model_class, seed=seed, **task.model_changes())
        if config is not None:
            insert(model, config, seed=seed)
        generator = torch.Generator().manual_seed(seed + 1)
        with torch.no_grad():
            for parameter in model.parameters():
                if noise and parameter.requires_grad:
                    parameter += noise * torch.randn(parameter.shape, generator=generator)
        return model.eval()

    return make


@pytest.fixture(scope="session")
def base_folder(task: Vqa, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-trained model on disk, as transformers saves one, with its processor."""
    folder = tmp_path_factory.mktemp("base") / "model"
    load_model(MODEL, task.model_class, **task.model_changes()).save_pretrained(folder)
    task.processor.save_pretrained(folder)
    return folder


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """``call("run", "recipe.yaml")`` in this process: exit code, standard output and standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["skiptune", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, " ".join(err.split())

    return run


@pytest.fixture
def tiny_recipe(data_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """``tiny_recipe("name", train={...}, ...)`` writes ``name.yaml`` of a run of a few seconds to ``<name>-run/``."""

    def write(name: str = "recipe", folder: Path = tmp_path, **changes: Any) -> Path:
        return write_recipe(folder / f"{name}.yaml", data_folder, **{"output": str(folder / f"{name}-run"), **changes})

    return write


def write_recipe(path: Path, data_folder: Path, **changes: Any) -> Path:
    content: dict[str, Any] = {
        "model": MODEL,
        "data": {
            "name": "jsonl",
            "train": str(data_folder / "train.jsonl"),
            "images": str(data_folder / "images"),
            "validation_share": 0.25,
            "test": str(data_folder / "test.jsonl"),
        },
        "baselines": [],
        "budget": {"num_skip": 2},
        "search": {"max_steps": 12, "interval": 2},
        "train": {"max_steps": 22, "batch_size": 8, "save_steps": 3},
        "bench": {"batch_sizes": [1], "repeats": 2},
    }
    for name, value in changes.items():
        content[name] = {**content[name], **value} if isinstance(value, dict) and name in content else value
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
