"""One conversation as tokens, its answers marked, cut where it is too long, and several joined to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ...core.errors import InputError
from ...core.ignored_label import IGNORED
from ...families.chat_processor import ChatProcessor
from .template import Rendered


@dataclass(frozen=True)
class Row:
    """Inputs of one conversation.

    Attributes:
        tokens: by name, ``(1, tokens)``, with ``labels``.
        pixels: the others by name, of all its images.
        kept: which tokens are images' or belong to them, ``(tokens,)``.
    """

    tokens: Mapping[str, Tensor]
    pixels: Mapping[str, Tensor]
    kept: Tensor

    @property
    def length(self) -> int:
        """Its number of tokens."""
        return len(self.kept)

    @classmethod
    def of(
        cls,
        found: Mapping[str, Any],
        rendered: Rendered,
        offsets: Tensor | None,
        replaced: Sequence[Mapping[str, Any]],
        processor: ChatProcessor,
    ) -> Row:
        """A row from what transformers' processor gives.

        Args:
            found: of one conversation.
            rendered: its text.
            offsets: first letter and end of every token, ``(1, tokens, 2)``; ``None``: ``found`` has labels.
            replaced: where placeholders of images stood, and what stands there now.
            processor: of the model.

        Raises:
            InputError: an answer does not begin with a token of its own.
        """
        ids = found["input_ids"]
        tensors = {name: value for name, value in found.items() if isinstance(value, Tensor)}
        tokens = {name: value for name, value in tensors.items() if value.shape == ids.shape}
        pixels = {name: value for name, value in tensors.items() if name not in tokens}
        kept = _of_images(ids[0], processor)
        if offsets is None:
            tokens.setdefault("labels", torch.full_like(ids, IGNORED))
            return cls(tokens, pixels, kept)
        answered = _answered(rendered, offsets[0], replaced) if rendered.answers else torch.zeros_like(ids[0]).bool()
        labels = torch.where(answered, ids[0], IGNORED)[None]
        for each in replaced:
            first, end = each["new_span"]
            kept |= (offsets[0, :, 0] >= first) & (offsets[0, :, 1] <= end) & (offsets[0, :, 1] > first)
        return cls({**tokens, "labels": labels}, pixels, kept)

    def cut(self, length: int) -> Row:
        """The first ``length`` tokens; those of images stay, wherever they stand.

        Raises:
            InputError: there is no room for the images, or for the beginning of an answer.
        """
        count = self.length
        if count <= length:
            return self
        room = length - int(self.kept.sum())
        if room < 1:
            raise InputError(
                f"max_length: {length} tokens have no room for the {int(self.kept.sum())} of the images; allow more"
            )
        stay = self.kept | ((~self.kept).cumsum(0) <= room)
        cut = Row({name: value[:, stay] for name, value in self.tokens.items()}, self.pixels, self.kept[stay])
        if not bool((cut.tokens["labels"] != IGNORED).any()) and bool((self.tokens["labels"] != IGNORED).any()):
            raise InputError(f"max_length: of {count} tokens the first {length} have no answer; allow more")
        return cut


def joined(
    tokens: Sequence[Mapping[str, Tensor]], pixels: Sequence[Mapping[str, Tensor]], padding: int, left: bool = False
) -> dict[str, Tensor]:
    """A batch of rows: tokens filled up to the longest row, those of images behind each other, smaller ones filled up
    by zeros as transformers does it.

    Args:
        tokens: of each row.
        pixels: of each row.
        padding: the token that rows are filled up with.
        left: fill up before them; such rows are not learnt, and have no ``labels``.
    """
    longest = max(row["input_ids"].shape[1] for row in tokens)
    fills = {"input_ids": padding, "labels": IGNORED}
    batch = {}
    for name in dict.fromkeys(name for row in tokens for name in row):
        if left and name == "labels":
            continue
        rows = []
        for row in tokens:
            value = row.get(name, torch.zeros_like(row["input_ids"]))  # no row of text alone tells kinds of tokens
            gap = longest - value.shape[1]
            rows.append(pad(value, (gap, 0) if left else (0, gap), value=fills.get(name, 0)))
        batch[name] = torch.cat(rows)
    for name in dict.fromkeys(name for row in pixels for name in row):
        batch[name] = _stacked([row[name] for row in pixels if name in row])
    return batch


def _stacked(values: Sequence[Tensor]) -> Tensor:
    """Tensors behind each other, all as large as the largest in their further axes."""
    largest = [max(sizes) for sizes in zip(*(value.shape[1:] for value in values), strict=True)]
    filled = []
    for value in values:
        gaps = [size - own for size, own in zip(largest, value.shape[1:], strict=True)]
        filled.append(pad(value, [side for gap in reversed(gaps) for side in (0, gap)]) if any(gaps) else value)
    return torch.cat(filled)


def _answered(rendered: Rendered, offsets: Tensor, replaced: Sequence[Mapping[str, Any]]) -> Tensor:
    """Which tokens are answers', ``(tokens,)``, from the letters that each stands for."""
    text, found = rendered.text, torch.zeros(len(offsets), dtype=torch.bool)
    first, end = offsets[:, 0], offsets[:, 1]
    for start, stop in rendered.answers:
        shift = _gained(replaced, start)
        blanks = len(text[:start].rstrip()) + shift  # a token may begin with the blank before a word
        after = len(text) - len(text[stop:].lstrip()) + shift
        own = (end > start + shift) & (first < stop + shift) & (end > first)
        if bool((own & ((first < blanks) | (end > after))).any()):
            raise InputError(
                "chat template: an answer does not begin or end with a token of its own; the template should have a "
                "blank, a line end or a special token there"
            )
        found |= own
    return found


def _gained(replaced: Sequence[Mapping[str, Any]], place: int) -> int:
    """By how many letters the images before a place made the text longer."""
    before = [each for each in replaced if each["span"][1] <= place]
    return before[-1]["new_span"][1] - before[-1]["span"][1] if before else 0


def _of_images(ids: Tensor, processor: ChatProcessor) -> Tensor:
    """Which tokens are images', with the special ones right before and after them."""
    if not processor.sees:
        return torch.zeros_like(ids, dtype=torch.bool)
    tokenizer = processor.tokenizer
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids)) & (ids != (tokenizer.unk_token_id or -1))
    found = torch.isin(ids, torch.tensor(processor.image_numbers))
    beside = torch.zeros_like(found)
    beside[1:] |= found[:-1]
    beside[:-1] |= found[1:]
    return found | (beside & special)
