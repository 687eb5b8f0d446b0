"""The data doctor on parts beside each other, and on rows in Python."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from conftest import draw_square
from planted_faults import SOUND
from skiptune import InputError, Vqa, check_data, load_processor
from skiptune.checking.printing import print_report
from skiptune.families.chat_processor import ChatProcessor
from skiptune.tasks.generation.task import Generation
from tiny_chat import CHATS, TEMPLATE, tiny_llava_processor, tiny_processor, tiny_tokenizer
from tiny_decoders import VLM


def pictures(count: int, first: int = 0) -> list[Image.Image]:
    pixels = [np.random.default_rng(first + number).integers(0, 255, (30, 40, 3)) for number in range(count)]
    return [Image.fromarray(each.astype(np.uint8)) for each in pixels]


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    asked = [SOUND[number % len(SOUND)] for number in range(count)]
    drawn = pictures(count, first)
    return [{"image": image, "question": q, "answer": a} for image, (q, a) in zip(drawn, asked, strict=True)]


@pytest.fixture(scope="module")
def task() -> Generation:
    whole = tiny_llava_processor()
    return Generation(ChatProcessor("llava", whole.tokenizer, whole))


def test_sound_rows_in_python_have_no_findings(task: Generation) -> None:
    report = check_data({"train": rows(12), "test": rows(6, first=50)}, task)
    assert report.findings == ()
    assert [part.name for part in report.parts] == ["train", "test"]
    assert report.to_dict()["faults"] == 0


@pytest.mark.parametrize("name", [name for name in CHATS if name in VLM])
def test_images_reach_every_family(name: str) -> None:
    made = tiny_processor(name)
    processor = ChatProcessor(VLM[name][0], made.tokenizer, made)
    drawn = [
        image.resize(size) for image, size in zip(pictures(4), ((40, 30), (64, 20), (40, 30), (33, 64)), strict=True)
    ]
    given = [{"image": image, "question": f"what is it {n} ?", "answer": "red"} for n, image in enumerate(drawn)]
    pair = {"images": drawn[1:3], "question": "what are they ?", "answer": "red"}
    several = [] if name.startswith("paligemma") else [pair]
    report = check_data([*given, *several], Generation(processor))
    model = report.parts[0].model
    assert model is not None
    assert (model.rows, model.images) == (4 + len(several), 4 + 2 * len(several))
    assert model.placeholders == model.reached == model.images
    assert {found.kind for found in report.findings} <= {"unknown_token"}


def test_parts_that_share_images_rows_and_texts() -> None:
    text_alone = [{"question": f"what is {number} ?", "answer": str(number)} for number in range(6)]
    drawn = pictures(12)
    named = [{"image": image, "question": f"who is {n} ?", "answer": f"{n}"} for n, image in enumerate(drawn)]
    other = [{**row, "image": image} for row, image in zip(named, pictures(12, first=90), strict=True)]
    given = {"train": [*named, *text_alone], "validation": [*other[:3], named[5]], "test": text_alone[:2]}
    report = check_data(given, Generation(ChatProcessor("llama", tiny_tokenizer())))
    shared = {(found.kind, found.part): found.count for found in report.findings if found.kind.startswith("shared")}
    assert shared == {
        ("shared_images", "train, validation"): 1,
        ("shared_rows", "train, test"): 2,
        ("shared_texts", "train, validation"): 4,
    }
    assert [found.level for found in report.findings if found.kind == "shared_texts"] == ["remark"]


def test_saved_again_an_image_is_the_same(tmp_path: Path) -> None:
    image = pictures(1)[0]
    for name, level in (("a.png", 1), ("b.png", 9)):
        image.save(tmp_path / name, compress_level=level)
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    given = {name: [{"image": tmp_path / f"{name[0]}.png", "question": "what ?", "answer": "a"}] for name in ("a", "b")}
    report = check_data({"train": given["a"], "test": given["b"]})
    assert report.found("shared_images") == 1


def test_a_truncated_image_is_named_once(tmp_path: Path) -> None:
    made = rows(3)
    made[0]["image"] = str(tmp_path / "cut.jpg")
    noise = Image.effect_noise((64, 64), 50).convert("RGB")
    noise.save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-99])
    [found] = [finding for finding in check_data(made).findings if finding.kind == "damaged_image"]
    [example] = found.examples
    assert example.place.endswith("cut.jpg")
    assert example.said.startswith("cannot be read (image file is truncated")


def test_one_answer_and_one_image_for_nearly_all_rows() -> None:
    image, asked = pictures(1)[0], [f"is it {number} ?" for number in range(30)]
    same = [{"image": image, "question": question, "answer": "yes"} for question in asked]
    report = check_data([*same, *rows(3)])
    assert (report.found("one_answer"), report.found("one_image")) == (1, 1)
    assert [found.level for found in report.findings if found.kind == "one_answer"] == ["fault"]


def test_answers_of_an_open_template_cannot_be_found() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{{ messages | length }}{% for message in messages %}{{ message.content }}{% endfor %}"
    report = check_data(rows_of_text(4), Generation(ChatProcessor("llama", tokenizer)))
    assert report.found("template") == 4


def test_images_that_a_template_drops_are_counted() -> None:
    whole = tiny_llava_processor()
    whole.chat_template = TEMPLATE.replace("<image>", "")
    report = check_data(rows(4), Generation(ChatProcessor("llava", whole.tokenizer, whole)))
    assert report.found("images_lost") == 4
    model = report.parts[0].model
    assert model is not None
    assert (model.images, model.reached) == (4, 0)


def rows_of_text(count: int) -> list[dict[str, Any]]:
    return [{"question": f"{SOUND[number % 6][0]} {number}", "answer": SOUND[number % 6][1]} for number in range(count)]


def test_rows_are_shown_as_the_model_sees_them() -> None:
    whole = tiny_llava_processor()
    task = Generation(ChatProcessor("llava", whole.tokenizer, whole), max_length=30)
    given = [rows(1)[0], {**rows(1)[0], "question": "what color is it ?", "answer": "a circle . " * 6}]
    first, second = check_data(given, task).rows
    shown = [(segment.kind, segment.text) for segment in first.segments]
    assert shown == [
        ("prompt", "<s> <user>"),
        ("image", "<image ×16>"),
        ("prompt", "what color is it ? <assistant>"),
        ("answer", "red </s>"),
    ]
    assert [segment.kind for segment in second.segments][-2:] == ["answer", "cut"]


def test_other_tasks_are_looked_at_too(tmp_path: Path) -> None:
    made = []
    for number in range(16):
        colour = draw_square(tmp_path / f"{number}.png", number)
        made.append({"image": str(tmp_path / f"{number}.png"), "question": "what colour is it?", "answer": colour})
    (tmp_path / "3.png").write_bytes((tmp_path / "4.png").read_bytes())
    made += [{**made[0], "answer": "pink"}, made[1], {**made[2], "question": "what is it? " * 40}]
    made += [{**made[2], "image": str(tmp_path / "none.png")}]
    task = Vqa.from_records(load_processor("vilt-tiny"), [row for row in made if "none" not in row["image"]])
    report = check_data(made, task)
    assert {found.kind for found in report.findings} == {"missing_image", "contradiction", "duplicate", "cut_text"}
    model, answers = report.parts[0].model, report.parts[0].answers
    assert model is not None
    assert model.lengths is not None
    assert answers is not None
    assert (model.rows, model.images, model.reached) == (19, 19, 19)
    assert model.lengths.longest > (model.lengths.limit or 0)
    assert answers.different == 5


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="rows: 0 is not a number of rows"):
        check_data(rows(2), rows=0)
    with pytest.raises(InputError, match="task: 'vqa' is none"):
        check_data(rows(2), "vqa")  # type: ignore[arg-type]


def test_data_that_cannot_be_read_are_a_finding() -> None:
    report = check_data({"train": rows(2), "test": 3})  # type: ignore[dict-item]
    assert [(found.kind, found.part) for found in report.faults] == [("unreadable_file", "test")]


def test_all_rows_bad() -> None:
    gone = [{"image": "gone.png", "question": question, "answer": answer} for question, answer in SOUND]
    report = check_data(gone)
    assert report.found("missing_image") == 6
    assert report.parts[0].usable == 0


def test_texts_of_rows_do_not_reach_the_terminal_as_commands() -> None:
    given = [{**row, "question": f"what \x1b[2J is it \u009b {number} ?"} for number, row in enumerate(rows(3))]
    report, printed = check_data(given), StringIO()
    print_report(report, Console(file=printed, soft_wrap=True))
    assert report.found("damaged_text") == 3
    assert not set(printed.getvalue()) & {"\x1b", "\u009b"}
