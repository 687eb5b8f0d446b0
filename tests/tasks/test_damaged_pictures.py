"""Damaged, long, tiny and replaced pictures through evaluate and predict, in every family and task."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from skiptune import (
    Budget,
    Entailment,
    Experiment,
    InputError,
    Reasoning,
    Record,
    Retrieval,
    SearchConfig,
    SkipConfig,
    TrainConfig,
    Vqa,
    evaluate,
    fit,
    load_model,
    load_processor,
    predict,
    read_jsonl,
    search,
)
from skiptune.data.damaged import Damaged
from skiptune.tasks.task import Task

FAMILIES = ("vilt-tiny", "meter-tiny", "bridgetower-tiny")
TASKS = {
    "vqa": (Vqa, {"text": "colour?", "answers": {"red": 1.0}}),
    "reasoning": (Reasoning, {"text": "both are red", "label": 1}),
    "retrieval": (Retrieval, {"captions": ("a red square",)}),
    "entailment": (Entailment, {"text": "it is red", "label": 2}),
}


def make_task(name: str, family: str) -> Task:
    kind, _ = TASKS[name]
    processor = load_processor(family)
    return kind(processor, ["blue", "red"]) if kind is Vqa else kind(processor)


def make_records(name: str, pictures: Sequence[Any]) -> list[Record]:
    pairs = name == "reasoning"
    return [Record(picture, image2=picture if pairs else None, **TASKS[name][1]) for picture in pictures]


def saved(path: Path, size: tuple[int, int] = (48, 48), colour: str = "red") -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", list(TASKS))
def test_damaged_and_long_pictures_do_not_end_an_evaluation(name: str, family: str, tmp_path: Path) -> None:
    task = make_task(name, family)
    model = load_model(family, task.model_class, **task.model_changes()).eval()
    sizes = [(48, 48), (1100, 100), (300, 1), (1, 300), (3, 40)]
    pictures = [saved(tmp_path / f"{number}.png", size) for number, size in enumerate(sizes)]
    whole = saved(tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:-30])
    records = make_records(name, [*pictures, tmp_path / "cut.png"])
    found = evaluate(model, task, records, batch_size=4)
    assert found.count == 6
    assert [problem.split(": ")[0] for problem in found.damaged] == [f"image {tmp_path / 'cut.png'}"]
    with pytest.raises(
        InputError, match=r"1 of 6 images cannot be read; at most 0 may be damaged\. The last: .*cut\.png"
    ):
        evaluate(model, task, records, most_bad=0.1)
    assert task.images.damaged is None
    if isinstance(task, Retrieval):
        task.pool = records
    batch = task.reporting(Damaged(6, 0.2)).collate(records)
    assert torch.isfinite(model(**batch).loss)


def test_what_is_asked_is_the_picture_that_is_there_now(make_model, task: Vqa, tmp_path: Path) -> None:
    model, path = make_model(), tmp_path / "a.bmp"
    answers = []
    for colour in ("red", "blue"):
        saved(path, colour=colour)
        answers.append(predict(model, task, path, "what colour is it?", top=4))
        assert answers[-1] == predict(model, task, str(path), "what colour is it?", top=4)
        assert answers[-1] == predict(model, task, path.read_bytes(), "what colour is it?", top=4)
        assert answers[-1] == predict(
            model, task, Image.open(io.BytesIO(path.read_bytes())), "what colour is it?", top=4
        )
    assert answers[0] != answers[1]


def test_what_cannot_be_asked_is_refused(make_model, task: Vqa, records, tmp_path: Path) -> None:
    model, path = make_model(), saved(tmp_path / "a.png")
    for top in (0, -1, True, 1.5):
        with pytest.raises(InputError, match=r"top: .*at least 1"):
            predict(model, task, path, "colour?", top=top)
    with pytest.raises(InputError, match="image: None is no image"):
        predict(model, task, None, "colour?")  # type: ignore[arg-type]
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"a\.png: cannot be read"):
        predict(model, task, path, "colour?")
    with pytest.raises(InputError, match=r"a\.png: cannot be read"):  # also by a run's task, which replaces
        predict(model, task.reporting(Damaged(100)), path, "colour?")
    for options, said in (({"batch_size": 0}, "batch_size: 0"), ({"most_bad": 1.5}, r"most_bad: 1\.5")):
        with pytest.raises(InputError, match=said):
            evaluate(model, task, records, **options)


def test_a_set_of_records_counts_its_pictures(make_model, task: Vqa, data_folder: Path, tmp_path: Path) -> None:
    for path in (data_folder / "images").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    records = read_jsonl(data_folder / "test.jsonl", tmp_path)  # 12 questions on 4 pictures
    (tmp_path / "17.png").write_bytes(b"gone")
    with pytest.raises(InputError, match=r"1 of 4 images cannot be read; at most 0"):
        evaluate(make_model(), task, records)
    assert len(evaluate(make_model(), task, records, most_bad=0.25).damaged) == 1


@pytest.fixture
def damaged_records(data_folder: Path, tmp_path: Path) -> Sequence[Record]:
    """The training questions; one of 16 pictures passes the reader and cannot be decoded."""
    for path in (data_folder / "images").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = bytearray((tmp_path / "0.png").read_bytes())
    place = content.index(b"IDAT") + 4
    (length,) = struct.unpack_from(">I", content, place - 8)
    content[place : place + length] = bytes(length)
    struct.pack_into(">I", content, place + length, zlib.crc32(content[place - 4 : place + length]))
    (tmp_path / "0.png").write_bytes(content)
    return read_jsonl(data_folder / "train.jsonl", tmp_path)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_training_replaces_damaged_pictures_and_names_them(
    make_model, task: Vqa, damaged_records: Sequence[Record], workers: int, tmp_path: Path, capsys: Any
) -> None:
    model = make_model(SkipConfig())
    experiment = Experiment(task, damaged_records, training=TrainConfig(max_steps=6, batch_size=8, workers=workers))
    fit(model, experiment)
    told = capsys.readouterr().err
    assert "images that cannot be read, replaced by the mean colour: 1\n" in told
    assert re.search(r"0\.png: cannot be read \(.*\); needed by .*train\.jsonl, line [123]\n", told)
    few = replace(experiment, train=damaged_records[:6])  # two pictures, of which none may be damaged
    with pytest.raises(InputError, match=r"^1 of 2 images cannot be read .*bad-images\.log\); at most 0 .*line [123]$"):
        fit(model, few)


def test_a_search_replaces_damaged_pictures(make_model, task: Vqa, damaged_records, capsys: Any) -> None:
    heldout = damaged_records[:9]  # with the damaged one
    settings = (
        SearchConfig(strategy="policy", max_steps=2, interval=1, candidates=2),
        TrainConfig(max_steps=4, batch_size=4),
    )
    search(make_model(SkipConfig()), Experiment(task, damaged_records[9:], heldout, Budget(num_skip=1), *settings))
    assert re.search(r"^  image .*0\.png: cannot be read", capsys.readouterr().err, re.MULTILINE)
