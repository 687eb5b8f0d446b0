"""Rendered conversations and images as a model's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image
from torch import Tensor
from transformers import BatchFeature

from ...core.errors import InputError, first_line
from ...core.ignored_label import IGNORED
from ...families.chat_processor import ChatProcessor
from .rows import Row, joined
from .template import Rendered


class ChatInputs:
    """Makes batches by transformers' own processor, which writes as many tokens for an image as the model has.

    Every conversation is prepared by itself, so that a batch holds what its rows alone would.

    Args:
        processor: of the model.
        max_length: tokens of a conversation to learn from; the tokenizer may allow fewer.
    """

    def __init__(self, processor: ChatProcessor, max_length: int) -> None:
        self.processor = processor
        self.max_length = min(max_length, processor.tokenizer.model_max_length)
        if not processor.tokenizer.is_fast:
            raise InputError(
                f"{type(processor.tokenizer).__name__}: it does not tell which letters its tokens stand for; save the "
                "model with a tokenizer.json"
            )

    def prompts(self, texts: Sequence[Rendered], images: Sequence[Sequence[Image.Image]]) -> dict[str, Tensor]:
        """Inputs to generate from: ``input_ids`` and ``attention_mask`` (batch, tokens), padded on the left.

        Raises:
            InputError: one is longer than what the model reads; prompts are not cut.
        """
        rows = [self._row(text, pictures) for text, pictures in zip(texts, images, strict=True)]
        longest, limit = max(row.length for row in rows), self.processor.tokenizer.model_max_length
        if longest > limit:
            raise InputError(f"text: {longest:,} tokens with its images, the model reads {limit:,}; shorten it")
        return joined([row.tokens for row in rows], [row.pixels for row in rows], self._pad, left=True)

    def training(self, conversations: Sequence[Rendered], images: Sequence[Sequence[Image.Image]]) -> dict[str, Tensor]:
        """Inputs to learn from, padded on the right, with ``labels`` (batch, tokens): the tokens of answers, and
        :data:`IGNORED` elsewhere.

        ``logits_to_keep`` are the places whose next token some row learns, and ``shift_labels`` (batch, places) those
        tokens: the head computes no others.

        Raises:
            InputError: an answer does not begin with a token of its own, or is lost where the conversation is cut.
        """
        rows = [
            self._row(conversation, pictures).cut(self.max_length)
            for conversation, pictures in zip(conversations, images, strict=True)
        ]
        batch = joined([row.tokens for row in rows], [row.pixels for row in rows], self._pad)
        return {**batch, **_only_answers(batch["labels"])}

    @property
    def _pad(self) -> int:
        return int(self.processor.tokenizer.pad_token_id)

    def _row(self, rendered: Rendered, images: Sequence[Image.Image]) -> Row:
        found = self._encoded(rendered, list(images))
        offsets, replaced = found.pop("offset_mapping", None), found.pop("text_replacement_offsets", None)
        return Row.of(found, rendered, offsets, (replaced or [()])[0], self.processor)

    def _encoded(self, rendered: Rendered, images: list[Image.Image]) -> dict[str, Any]:
        whole, tokenizer = self.processor.whole, self.processor.tokenizer
        if self.processor.joins_suffixes:
            suffix = {} if rendered.suffix is None else {"suffix": [rendered.suffix]}
            found = _called(whole, text=[rendered.text], images=[images], **suffix)
            return dict(BatchFeature(found, tensor_type="pt"))  # it makes labels of lists alone without a warning
        # as apply_chat_template does it: a processor's adds the beginning where the template has none
        begun = whole is None or bool(tokenizer.bos_token and rendered.text.startswith(tokenizer.bos_token))
        options = {"add_special_tokens": not begun, "return_offsets_mapping": True, "return_tensors": "pt"}
        if not images:
            return _called(tokenizer, [rendered.text], **options)
        return _called(whole, text=[rendered.text], images=[images], return_text_replacement_offsets=True, **options)


def _called(part: Any, *args: Any, **options: Any) -> dict[str, Any]:
    try:
        return dict(part(*args, **options))
    except Exception as error:  # processors raise what they like
        raise InputError(f"{type(part).__name__}: it cannot prepare this conversation ({first_line(error)})") from None


def _only_answers(labels: Tensor) -> dict[str, Tensor]:
    shifted = labels[:, 1:]
    places = (shifted != IGNORED).any(0).nonzero()[:, 0]
    return {"logits_to_keep": places, "shift_labels": shifted[:, places]}
