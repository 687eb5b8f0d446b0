"""Conversations become batches whose labels are the answers, and records keep turns, images and options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skiptune.core.errors import InputError
from skiptune.data.record import Record
from skiptune.data.record_digests import digests_of
from skiptune.data.records import Records
from skiptune.data.splits import split_by_image
from skiptune.data.turns import Turn
from skiptune.families.chat_processor import ChatProcessor
from skiptune.tasks.generation.task import Generation
from skiptune.training.label_counts import labelled_tokens
from tiny_chat import tiny_llava_processor, tiny_tokenizer
from tiny_decoders import vlm

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
ASKED = Record(PICTURE, "what color is it ?", {"red": 1.0, "blue": 0.3})
TWICE = Record(
    PICTURE,
    turns=(
        Turn("user", (None, "what shape", " is it ?")),
        Turn("assistant", ("a circle",)),
        Turn("user", ("is it red",)),
        Turn("assistant", ("yes",)),
    ),
)
TEXT_ALONE = Record(None, "is it red", {"no": 1.0})
TWO_IMAGES = Record(
    PICTURE, turns=(Turn("user", (None, "what", None, "is it ?")), Turn("assistant", ("green",))), further=(PICTURE,)
)
RECORDS = [ASKED, TWICE, TEXT_ALONE, TWO_IMAGES]


@pytest.fixture(scope="module")
def task() -> Generation:
    whole = tiny_llava_processor()
    return Generation(ChatProcessor("llava", whole.tokenizer, whole))


def test_labels_are_the_answers_with_their_ends(task: Generation) -> None:
    batch = task.collate(RECORDS)
    learnt = [task.processor.tokenizer.decode(row[row >= 0]) for row in batch["labels"]]
    assert learnt == ["red </s>", "a circle </s> yes </s>", "no </s>", "green </s>"]
    assert batch["pixel_values"].shape == (4, 3, 16, 16)
    assert (batch["input_ids"] == task.processor.whole.image_token_id).sum(1).tolist() == [16, 16, 0, 32]


def test_the_head_computes_answers_alone_with_the_loss_of_transformers(task: Generation) -> None:
    model, batch = vlm("llava"), task.collate(RECORDS)
    usual = {name: value for name, value in batch.items() if name not in ("logits_to_keep", "shift_labels")}
    with torch.no_grad():
        torch.testing.assert_close(model(**batch).loss, model(**usual).loss)
    assert labelled_tokens(batch) == labelled_tokens(usual) == 11


def test_prompts_end_where_answers_begin(task: Generation) -> None:
    prompts = task.prompts(RECORDS)
    assert prompts["input_ids"][:, -1].tolist() == [task.processor.tokenizer.convert_tokens_to_ids("<assistant>")] * 4
    whole = task.collate([TWICE])
    alone = task.prompts([TWICE])["input_ids"][0]
    assert whole["input_ids"][0, : len(alone)].tolist() == alone.tolist()


def test_a_text_model_reads_conversations_without_images() -> None:
    task = Generation(ChatProcessor("llama", tiny_tokenizer()), system="be short .")
    batch = task.collate([TEXT_ALONE])
    said = "<s> <system> be short . <user> is it red <assistant> no </s>"
    assert task.processor.tokenizer.decode(batch["input_ids"][0]) == said


def test_a_table_keeps_turns_images_and_options(tmp_path: Path) -> None:
    files = []
    for number in range(3):
        files.append(tmp_path / f"{number}.png")
        files[-1].write_bytes(b"picture %d" % number)
    asked, answered = Turn("user", (None, "and", None)), Turn("assistant", ("yes",))
    given = [
        Record(files[0], turns=(asked, answered), further=(files[1],)),
        Record(files[1], "which?", {"a": 1.0}, options=("a", "b")),
        Record(None, "is it red", {"no": 1.0}),
        Record(None, "is it red", {"no": 1.0}),
        Record(files[2], "which?", {"a": 1.0}),
    ]
    table = Records.of(given)
    assert list(table) == given
    assert [table[row] for row in range(len(given))] == given
    assert set(table.pictures()) == set(files)
    train, held_out = split_by_image(table, 0.34, seed=0)
    parts = [set(part.pictures()) for part in (train, held_out)]
    assert not parts[0] & parts[1]
    assert not {record.text for record in train if not record.images} & {
        record.text for record in held_out if not record.images
    }


def test_digests_see_turns_options_and_images_after_the_first(tmp_path: Path) -> None:
    files = [tmp_path / "0.png", tmp_path / "1.png"]
    for file in files:
        file.write_bytes(file.name.encode())

    def digests(**fields: Any) -> dict[str, str]:
        return digests_of([Record(files[0], "what", {"a": 1.0}, **fields)])

    plain = digests()
    more: dict[str, dict[str, Any]] = {
        "images": {"further": (files[1],)},
        "texts": {"turns": (Turn("user", ("hello",)),)},
        "answers": {"options": ("a", "b")},
    }
    for aspect, fields in more.items():
        found = digests(**fields)
        assert [name for name in plain if found[name] != plain[name]] == [aspect]


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ((Turn("user", ("what",)), Turn("assistant", ("red",))), "0 places for images"),
        ((Turn("user", (None, None)), Turn("assistant", ("red",))), "2 places for images"),
        ((Turn("user", (None,)), Turn("assistant", (" ",))), "turn 2 is an answer and has no text"),
        ((Turn("user", (None,)), Turn("user", ("what",))), "turn 2 is the user's"),
        ((Turn("assistant", ("red",)),), "0 places"),
    ],
)
def test_nonsense_is_refused(task: Generation, turns: tuple[Turn, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        task.check([Record(PICTURE, turns=turns)])


def test_a_template_whose_answers_cannot_be_found_is_refused() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for message in messages %}{{ message.content | upper }}{% endfor %}"
    with pytest.raises(InputError, match=r"the answers \(of turn 2\) cannot be found"):
        Generation(ChatProcessor("llama", tokenizer)).collate([TEXT_ALONE])
