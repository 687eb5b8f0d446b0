"""Every family of decoders learns and answers conversations by its own processor and chat template."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from skiptune.data.record import Record
from skiptune.data.turns import Turn
from skiptune.families.chat_processor import ChatProcessor
from skiptune.tasks.generation.choices import score_options
from skiptune.tasks.generation.likelihoods import likelihoods
from skiptune.tasks.generation.task import Generation
from tiny_chat import CHATS, tiny_processor
from tiny_decoders import VLM, text_decoder, vlm

UPRIGHT, WIDE = (
    np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8) for shape in ((40, 30, 3), (20, 64, 3))
)
SAID = [["red"], ["no"], ["no"], ["a circle", "yes"], ["a circle"]]


def conversations(name: str) -> list[Record]:
    """One image, an image of another size, none, several turns, several images; PaliGemma reads the first two alone."""
    answers = Turn("assistant", ("a circle",)), Turn("assistant", ("yes",))
    found = [
        Record(UPRIGHT, "what color is it ?", {"red": 1.0}),
        Record(WIDE, "is it red", {"no": 1.0}),
        Record(None, "is it red", {"no": 1.0}),
        Record(None, turns=(Turn("user", ("what shape ?",)), answers[0], Turn("user", ("is it red",)), answers[1])),
        Record(UPRIGHT, turns=(Turn("user", (None, "what", None, "is it ?")), answers[0]), further=(WIDE,)),
    ]
    return found[:2] if name.startswith("paligemma") else found if name in VLM else found[2:4]


@cache
def task_of(name: str) -> Generation:
    made = tiny_processor(name)
    kind = VLM[name][0] if name in VLM else name
    processor = ChatProcessor(kind, made.tokenizer, made) if name in VLM else ChatProcessor(kind, made)
    return Generation(processor, max_new_tokens=2)


@pytest.mark.parametrize("name", CHATS)
def test_a_batch_is_its_rows(name: str) -> None:
    task, records = task_of(name), conversations(name)
    model = vlm(name) if name in VLM else text_decoder(name)
    batch = task.collate(records)
    with torch.no_grad():
        loss = model(**batch).loss
        usual = model(
            **{key: value for key, value in batch.items() if key not in ("logits_to_keep", "shift_labels")}
        ).loss
        total = count = 0.0
        for record in records:
            row = task.collate([record])
            tokens = int((row["shift_labels"] != -100).sum())
            total, count = total + float(model(**row).loss) * tokens, count + tokens
    torch.testing.assert_close(loss, usual)
    assert float(loss) == pytest.approx(total / count, rel=1e-5)
    assert task.answers(model, records) == [task.answers(model, [record])[0] for record in records]


@pytest.mark.parametrize("name", CHATS)
def test_options_are_scored_as_whole_texts(name: str) -> None:
    """In one batch, whose prompts differ in length, with the prompt run once."""
    task, model = task_of(name), vlm(name) if name in VLM else text_decoder(name)
    asked = [replace(record, options=("a circle", "yes")) for record in conversations(name) if not record.turns][:2]
    for record, scored in zip(asked, score_options(task, model, asked), strict=True):
        for option in scored:
            batch = task.collate([replace(record, answers={option.option: 1.0})])
            (alone,) = likelihoods(model, batch)
            assert option.total == pytest.approx(-alone.loss, abs=1e-4)
            assert option.by_token == pytest.approx(-alone.loss / alone.tokens, abs=1e-4)


@pytest.mark.parametrize("name", CHATS)
def test_labels_are_answers_and_their_ends(name: str) -> None:
    task, records = task_of(name), conversations(name)
    tokenizer = task.processor.tokenizer
    said = SAID[:2] if name.startswith("paligemma") else SAID if name in VLM else SAID[2:4]
    ends = [tokenizer.eos_token, "<end_of_turn>", "<end_of_utterance>", "<|im_end|>"]
    for row, answers in zip(task.collate(records)["labels"], said, strict=True):
        words = tokenizer.decode(row[row >= 0])
        if name == "qwen3":  # writes that it thought nothing
            words = words.replace("<think> </think> ", "")
        if name in ("llava", "llava_mistral"):  # ends no answer but the last
            answers = [" ".join(answers)]
        for end in ends:
            words = words.replace(end, "|")
        assert [each.strip() for each in words.split("|")] == [*answers, ""]
