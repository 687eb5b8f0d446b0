"""Rendered conversations and images as a model's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ...core.errors import InputError
from ...families.chat_processor import ChatProcessor
from .template import Rendered

#: The label of tokens that the loss leaves out.
IGNORED = -100


class ChatInputs:
    """Makes batches by transformers' own processor, which writes as many tokens for an image as the model has."""

    def __init__(self, processor: ChatProcessor, max_length: int) -> None:
        self.processor, self.max_length = processor, max_length

    def prompts(self, texts: Sequence[str], images: Sequence[Sequence[Image.Image]]) -> dict[str, Tensor]:
        """Inputs to generate from: ``input_ids`` and ``attention_mask`` (batch, tokens), padded on the left."""
        found = self._encoded(texts, images, padding_side="left")
        return {name: value for name, value in found.items() if isinstance(value, Tensor) and name != "offset_mapping"}

    def training(self, conversations: Sequence[Rendered], images: Sequence[Sequence[Image.Image]]) -> dict[str, Tensor]:
        """Inputs to learn from, padded on the right, with ``labels`` (batch, tokens): the tokens of answers, and
        :data:`IGNORED` elsewhere.

        ``logits_to_keep`` are the places whose next token some row learns, and ``shift_labels`` (batch, places) those
        tokens: the head computes no others.

        Raises:
            InputError: an answer does not begin with a token of its own.
        """
        found = self._encoded([each.text for each in conversations], images, padding_side="right")
        offsets, replaced = found.pop("offset_mapping"), found.pop("text_replacement_offsets", [])
        batch = {name: value for name, value in found.items() if isinstance(value, Tensor)}
        answered = torch.zeros_like(batch["input_ids"], dtype=torch.bool)
        for row, conversation in enumerate(conversations):
            for start, end in conversation.answers:
                shift = _gained(replaced[row] if replaced else (), start)
                answered[row] |= (offsets[row, :, 0] >= start + shift) & (offsets[row, :, 1] <= end + shift)
        answered &= batch["attention_mask"].bool()
        batch = self._cut({**batch, "labels": torch.where(answered, batch["input_ids"], IGNORED)})
        return {**batch, **_only_answers(batch["labels"])}

    def _encoded(self, texts: Sequence[str], images: Sequence[Sequence[Image.Image]], **options: Any) -> dict[str, Any]:
        options |= {
            "padding": True,
            "return_tensors": "pt",
            "add_special_tokens": False,
            "return_offsets_mapping": True,
        }
        if self.processor.whole is None or not any(images):
            return dict(self.processor.tokenizer(list(texts), **options))
        nested = [list(pictures) for pictures in images]
        return dict(
            self.processor.whole(text=list(texts), images=nested, return_text_replacement_offsets=True, **options)
        )

    def _cut(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The first ``max_length`` tokens.

        Raises:
            InputError: an image would be cut.
        """
        shape = batch["input_ids"].shape
        if shape[1] <= self.max_length:
            return batch
        token = getattr(self.processor.whole, "image_token_id", None)
        if token is not None and bool((batch["input_ids"][:, self.max_length :] == token).any()):
            raise InputError(f"max_length: {self.max_length} tokens have no room for the images; allow more")
        return {
            name: value[:, : self.max_length] if value.shape[:2] == shape else value for name, value in batch.items()
        }


def _gained(replaced: Sequence[dict[str, Any]], place: int) -> int:
    """By how many characters the images before a place made the text longer."""
    before = [each for each in replaced if each["span"][1] <= place]
    return before[-1]["new_span"][1] - before[-1]["span"][1] if before else 0


def _only_answers(labels: Tensor) -> dict[str, Tensor]:
    shifted = labels[:, 1:]
    places = (shifted != IGNORED).any(0).nonzero()[:, 0]
    return {"logits_to_keep": places, "shift_labels": shifted[:, places]}
