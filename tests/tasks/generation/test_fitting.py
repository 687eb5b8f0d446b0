"""Long conversations are cut, their images are not; records that a model cannot learn from are found before work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from skiptune import InputError, evaluate
from skiptune.costs.example_inputs import example_inputs
from skiptune.data.damaged import Damaged
from skiptune.data.parts import Data
from skiptune.data.record import Record
from skiptune.data.turns import Turn
from skiptune.families.chat_processor import ChatProcessor
from skiptune.running.fitting_data import fitting_data
from skiptune.tasks.generation.inputs import ChatInputs
from skiptune.tasks.generation.task import Generation
from tiny_chat import CHATS, tiny_processor
from tiny_decoders import VLM, text_decoder, vlm

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
WIDE = np.random.default_rng(1).integers(0, 255, (20, 64, 3), dtype=np.uint8)
LONG = "what color is it ? " * 12


def task_of(name: str, **settings: Any) -> Generation:
    whole = tiny_processor(name)
    processor = ChatProcessor(VLM[name][0], whole.tokenizer, whole) if name in VLM else ChatProcessor(name, whole)
    return Generation(processor, **settings)


def several(question: str, answer: str = "a circle") -> Record:
    """Two images, of which the second stands behind a long text."""
    turns = (
        Turn("user", (None, "is it red")), Turn("assistant", ("yes",)),
        Turn("user", (question, None, "the shape ?")), Turn("assistant", (answer,)),
    )  # fmt: skip
    return Record(PICTURE, turns=turns, further=(WIDE,))


@pytest.mark.parametrize("name", ["llava", "smolvlm", "qwen2_5_vl", "internvl", "gemma3"])
def test_text_is_cut_and_images_are_not(name: str) -> None:
    whole = task_of(name).collate([several(LONG)])
    length = whole["input_ids"].shape[1] - 30
    cut = task_of(name, max_length=length).collate([several(LONG)])
    token = task_of(name).processor.whole.image_token_id if name != "gemma3" else 63
    assert cut["input_ids"].shape[1] == length
    assert int((cut["input_ids"] == token).sum()) == int((whole["input_ids"] == token).sum())
    assert torch.equal(cut["pixel_values"], whole["pixel_values"])
    shown = int((whole["labels"] >= 0).sum()) - int((cut["labels"] >= 0).sum())
    assert 0 < shown < int((whole["labels"] >= 0).sum())  # the second answer is gone, the first is there
    around = [cut["input_ids"][0].tolist().index(token), whole["input_ids"][0].tolist().index(token)]
    assert around[0] == around[1]


def test_a_cut_answer_has_no_end() -> None:
    record = Record(None, "is it red", {"a circle a circle a circle": 1.0})
    whole = task_of("gemma").collate([record])["labels"][0]
    cut = task_of("gemma", max_length=len(whole) - 4).collate([record])["labels"][0]
    assert cut.tolist() == whole[:-4].tolist()
    assert int(cut[-1]) >= 0
    assert "<end_of_turn>" not in task_of("gemma").processor.tokenizer.decode(cut[cut >= 0])


@pytest.mark.parametrize(
    ("name", "record", "settings", "said"),
    [
        ("llava", Record(PICTURE, LONG, {"red": 1.0}), {"max_length": 50}, "the first 50 have no answer"),
        ("llava", Record(PICTURE, "is it red", {"no": 1.0}), {"max_length": 12}, "no room for the 16 of the images"),
        ("llava", Record(PICTURE, "is <image> red", {"no": 1.0}), {}, "the text of turn 1 has <image>,"),
        ("gemma3", Record(PICTURE, "is <image_soft_token>", {"no": 1.0}), {}, "turn 1 has <image_soft_token>,"),
        ("llava", Record(PICTURE, "is it red", {"no": 1.0}), {"max_pixels": 1000}, "30 × 40 pixels are more than"),
        ("qwen2_vl", Record(PICTURE, "is it red", {"no": 1.0}), {"max_length": 30}, "max_length: of"),
        ("llama", Record(PICTURE, "is it red", {"no": 1.0}), {}, "the model reads texts alone"),
        ("gemma", Record(None, "is it red", {"no": 1.0}), {"system": "be short"}, "no system turns"),
        ("paligemma", Record(None, "is it red", {"no": 1.0}), {}, "PaliGemma reads no text alone"),
        ("paligemma", several("is it red"), {}, "PaliGemma reads one question"),
    ],
)
def test_records_that_do_not_fit(name: str, record: Record, settings: dict[str, Any], said: str) -> None:
    task = task_of(name, **settings)
    [(number, problem)] = task.unfit([record], "train")
    assert number == 0
    assert problem.startswith("record 1: ")
    assert said in problem
    with pytest.raises(InputError):
        task.collate([record])


def test_records_that_fit_are_not_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of("qwen2_vl", max_length=600)
    monkeypatch.setattr(ChatInputs, "training", None)
    assert not list(task.unfit([several("is it red"), Record(None, "is it red", {"no": 1.0})], "train"))


def test_few_are_left_out_and_many_refused(tmp_path: Path) -> None:
    good, bad = Record(PICTURE, "is it red", {"no": 1.0}), Record(PICTURE, "is <image> red", {"no": 1.0})
    task = task_of("llava")
    data = Data([*[good] * 9, bad], [good], [], {}, ())
    for _ in range(2):  # again for a run that goes on
        left = fitting_data(data, task, None, tmp_path)
    assert "turn 1 has <image>" in (tmp_path / "bad-train.log").read_text()
    assert (tmp_path / "bad-train.log").read_text().count("\n") == 1
    assert [len(left.train), len(left.validation)] == [9, 1]
    assert "turn 1 has <image>" in left.bad_rows["train"][0]
    with pytest.raises(InputError, match=r"train: 1 of 10 records do not fit the model; at most 0"):
        fitting_data(data, task, 0.0)


def test_what_does_not_fit_is_left_out_of_an_evaluation() -> None:
    good, bad = Record(PICTURE, "is it red", {"no": 1.0}), Record(PICTURE, "is <image> red", {"no": 1.0})
    task, model = task_of("llava", max_new_tokens=1), vlm("llava").eval()
    found, alone = evaluate(model, task, [good, bad, *[good] * 4]), evaluate(model, task, [good])
    assert (found.metrics, found.count) == (alone.metrics, 5)
    assert found.predictions == (alone.predictions[0], "", *alone.predictions * 4)
    assert found.scores == (alone.scores[0], None, *alone.scores * 4)
    assert "record 2: turns: the text of turn 1 has <image>" in found.bad[0]
    assert (found.summary()["bad_rows"], "bad_rows" in alone.summary()) == (1, False)
    with pytest.raises(InputError, match=r"evaluating: 1 of 6 records do not fit the model; at most 0"):
        evaluate(model, task, [good, bad, *[good] * 4], most_bad=0.0)


def test_larger_images_shrink_in_proportion() -> None:
    task = task_of("qwen2_vl", max_pixels=600, larger_images="shrink")
    record = Record(PICTURE, "is it red", {"no": 1.0})
    assert not list(task.unfit([record], "train"))
    [[image]] = task.pictures.of_records([record])
    assert image.size == (21, 28)


def test_a_damaged_image_is_replaced() -> None:
    for settings in ({}, {"max_pixels": 400}):
        task = task_of("qwen2_vl", **settings)
        task.images.damaged = Damaged(10, 0.5)
        batch = task.collate([Record(b"no image", "is it red", {"no": 1.0}, id="1")])
        assert len(batch["pixel_values"]) > 0
        assert len(task.images.damaged.problems()) == 1


def test_a_truncated_image_takes_as_many_tokens_as_a_whole_one(tmp_path: Path) -> None:
    path, cut = tmp_path / "whole.jpg", tmp_path / "cut.jpg"
    Image.fromarray(PICTURE).save(path)
    cut.write_bytes(path.read_bytes()[:-99])
    whole, damaged = (Record(file, "is it red", {"no": 1.0}, place="line 1") for file in (path, cut))
    wanted = task_of("qwen2_vl").collate([whole])["input_ids"]
    task = task_of("qwen2_vl", max_length=wanted.shape[1])
    assert not list(task.unfit([whole, damaged], "train"))  # a run replaces damaged images, and counts them
    task.images.damaged = Damaged(10, 0.5)
    assert torch.equal(task.collate([damaged])["input_ids"], wanted)
    assert len(task.images.damaged.problems()) == 1


@pytest.mark.parametrize("name", CHATS)
def test_costs_are_of_prompts(name: str) -> None:
    record = Record(PICTURE if name in VLM else None, "what color is it ?", {"red": 1.0})
    task = task_of(name)
    size, words = task.input_size([record])
    model = vlm(name) if name in VLM else text_decoder(name)
    counted = example_inputs(model, size, words)
    prompt = task.prompts([record])
    assert counted["input_ids"].shape == prompt["input_ids"].shape
    if name in VLM:
        assert counted["pixel_values"].shape == prompt["pixel_values"].shape


def test_prompts_longer_than_the_model_reads_are_refused() -> None:
    task = task_of("llama")
    task.processor.tokenizer.model_max_length = 20
    short, long = Record(None, "is it red ?"), Record(None, "is it red ? " * 9)
    assert task.prompts([short])["input_ids"].shape[1] <= 20
    with pytest.raises(InputError, match="tokens with its images, the model reads 20; shorten it"):
        task.prompts([short, long])


def test_a_picture_alone_is_described() -> None:
    task = task_of("llava")
    task.check([Record(PICTURE)])
    assert task.turns(Record(PICTURE))[0].text == "Describe the picture."
    with pytest.raises(InputError, match="needs records with a conversation, a question or captions"):
        task.check([Record(PICTURE, answers={"red": 1.0})])
