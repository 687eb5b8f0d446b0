"""Continuations are scored as if each stood in a text by itself, though their prompt is run once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from skiptune import SkipConfig, insert
from skiptune.inserting.selection import choose
from skiptune.tasks.generation.continuations import log_probabilities
from tiny_decoders import TEXT, VLM, one_of, padded_pairs, padded_text, text_decoder, vlm

#: Two prompts with as many continuations of one to three tokens as questions have choices.
CONTINUATIONS = [[[5], [7, 9, 4]], [[8, 6], [5], [11, 4]]]
#: What the tokens of an answer are called in inputs that name kinds of tokens.
KINDS = {"token_type_ids": {"paligemma": 1}, "mm_token_type_ids": {}}


def alone(model: Any, prompt: dict[str, Tensor], tokens: list[int]) -> Tensor:
    """The log-probabilities of the tokens behind one prompt, by a pass over the whole text."""
    whole, more = dict(prompt), torch.tensor([tokens])
    whole["input_ids"] = torch.cat((prompt["input_ids"], more), 1)
    whole["attention_mask"] = torch.ones_like(whole["input_ids"])
    for name in KINDS.keys() & prompt.keys():
        kind = KINDS[name].get(model.config.model_type, 0)
        whole[name] = torch.cat((prompt[name], torch.full_like(more, kind)), 1)
    logits = model(**whole).logits[0, -len(tokens) - 1 : -1]
    found: Tensor = torch.log_softmax(logits, -1).gather(1, more.T)[:, 0]
    return found


@torch.no_grad()
@pytest.mark.parametrize("name", [*VLM, *TEXT])
def test_as_texts_by_themselves(name: str) -> None:
    model, inputs = (vlm(name), padded_pairs(name)) if name in VLM else (text_decoder(name), padded_text())
    insert(model, SkipConfig(block_adapter="lora", lora_rank=2)).eval()
    for skipped in ([], ["0", "2"], ["1", "3"]):
        choose(model, skipped)
        found = log_probabilities(model, inputs, CONTINUATIONS)
        for row, continuations in enumerate(CONTINUATIONS):
            for scored, tokens in zip(found[row], continuations, strict=True):
                torch.testing.assert_close(scored, alone(model, one_of(inputs, row), tokens), rtol=0, atol=2e-5)
