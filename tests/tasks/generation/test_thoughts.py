"""Thoughts that a model writes before an answer are no part of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from skiptune import Record
from skiptune.data.turns import Turn
from skiptune.families.chat_processor import ChatProcessor
from skiptune.predicting.stream import Stream
from skiptune.tasks.generation.task import Generation
from tiny_chat import tiny_processor
from tiny_decoders import text_decoder


def thinking(*words: str) -> tuple[Any, Any]:
    """A tokenizer whose words of thoughts are not called special, and a model that says some words."""
    tokenizer, model = tiny_processor("qwen3"), text_decoder("qwen3").eval()
    said = [tokenizer.convert_tokens_to_ids(word) for word in words]

    def generate(input_ids: Tensor, streamer: Any = None, **_: Any) -> Tensor:
        if streamer is not None:
            streamer.put(input_ids)
            for token in said:
                streamer.put(torch.tensor([token]))
            streamer.end()
        return torch.cat((input_ids, torch.tensor([said])), 1)

    model.generate = generate
    return tokenizer, model


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("<think>", "</think>", "red", "<|im_end|>"), "red"),
        (("<think>", "is", "it", "blue", "</think>", "red", "<|im_end|>"), "red"),
        (("red", "circle", "<|im_end|>"), "red circle"),
        (("<think>", "is", "it"), ""),
    ],
)
def test_an_answer_has_no_thoughts(words: tuple[str, ...], answer: str) -> None:
    tokenizer, model = thinking(*words)
    task = Generation(ChatProcessor("qwen3", tokenizer), stop=["blue"])
    turns = Turn("user", ("what color is it ?",)), Turn("assistant", ("<think>\nis it blue\n</think>\n\nred",))
    asked = Record(None, turns=turns)
    assert task.answers(model, [asked]) == [answer]
    assert task.accepted(asked) == ["red"]
    assert "".join(Stream(model, task, asked)) == answer
    assert tokenizer.decode(tokenizer.convert_tokens_to_ids(words), skip_special_tokens=True).startswith(words[0])
