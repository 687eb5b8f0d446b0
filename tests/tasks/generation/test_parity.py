"""Image files and messages become the inputs that transformers' own ``apply_chat_template`` makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from skiptune.data.record import Record
from skiptune.data.turns import Turn
from skiptune.families.chat_processor import ChatProcessor
from skiptune.tasks.generation.task import Generation
from tiny_chat import CHATS, tiny_processor
from tiny_decoders import VLM

SEEN = [name for name in CHATS if name in VLM and not name.startswith("paligemma")]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    found = []
    for name, size in (("upright.png", (30, 40)), ("wide.png", (64, 20))):
        Image.effect_mandelbrot(size, (-2, -1, 1, 1), 90).convert("RGB").save(folder / name)
        found.append(folder / name)
    return found


def messages_of(files: list[Path], record: Record) -> list[dict[str, Any]]:
    """The conversation of a record as transformers takes it."""
    left = iter(files)
    return [
        {
            "role": turn.role,
            "content": [
                {"type": "image", "path": str(next(left))} if part is None else {"type": "text", "text": part}
                for part in turn.parts
            ],
        }
        for turn in record.turns
    ]


@pytest.mark.parametrize("name", SEEN)
def test_inputs_are_those_of_transformers(name: str, files: list[Path]) -> None:
    whole = tiny_processor(name)
    task = Generation(ChatProcessor(VLM[name][0], whole.tokenizer, whole))
    turns = (
        Turn("user", (None, "what", None, "is it ?")),
        Turn("assistant", ("a circle",)),
        Turn("user", ("is it red",)),
        Turn("assistant", ("yes",)),
    )
    record = Record(files[0], turns=turns, further=(files[1],))
    messages = messages_of(files, record)
    batch = task.collate([record])
    plain = whole.apply_chat_template(messages, tokenize=True, return_dict=True, return_tensors="pt")
    added = batch["input_ids"].shape[1] - plain["input_ids"].shape[1]
    assert added == (1 if name in ("llava", "llava_mistral") else 0)  # their template ends no answer
    for key, value in plain.items():
        own = batch[key][:, : batch[key].shape[1] - added] if value.shape == plain["input_ids"].shape else batch[key]
        assert torch.equal(own, value), key
    asked = whole.apply_chat_template(
        messages[:3], tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    assert torch.equal(task.prompts([record])["input_ids"], asked["input_ids"])
    assert _by_growing(whole, messages, batch["input_ids"][0], name) == (batch["labels"][0] >= 0).tolist()


def _by_growing(whole: Any, messages: list[dict[str, Any]], ids: torch.Tensor, name: str) -> list[bool]:
    """Which tokens are answers': those by which the whole conversation goes on after a prompt, up to the token that
    ends the answer."""
    found = [False] * len(ids)
    for number in (1, 3):
        options = {"tokenize": True, "return_dict": True, "add_generation_prompt": True}
        start = len(whole.apply_chat_template(messages[:number], **options)["input_ids"][0])
        words = len(whole.tokenizer(messages[number]["content"][0]["text"])["input_ids"])
        ended = 0 if number == 1 and name in ("llava", "llava_mistral") else 1
        for place in range(start, start + words + ended):
            found[place] = True
    return found


@pytest.mark.parametrize("name", ["llava", "llava_onevision"])
def test_labels_are_the_masks_of_templates_that_mark_answers(name: str) -> None:
    whole = tiny_processor(name)
    task = Generation(ChatProcessor(VLM[name][0], whole.tokenizer, whole))
    record = Record(None, "what color is it ?", {"red": 1.0})
    turns = [Turn("user", (record.text,)), Turn("assistant", ("red",))]
    messages = messages_of([], Record(None, turns=tuple(turns)))
    marked = whole.apply_chat_template(messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    masks = marked["assistant_masks"][0]
    labels = (task.collate([record])["labels"][0] >= 0).tolist()
    last = max(place for place, label in enumerate(labels) if label)
    assert labels[:last] == [bool(mask) for mask in masks[:last]]  # the mark leaves out the end
