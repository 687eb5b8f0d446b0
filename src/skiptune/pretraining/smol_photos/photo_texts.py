"""Photographs with captions as sequences: one sequence holds a photograph once and all its captions.

The captions do not see each other: each attends to the beginning (image and request) and to itself, and its positions
go on from the beginning. So the loss is that of as many conversations, for less than half of their tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.ignored_label import IGNORED
from ...models.in_parts import IMAGE_TOKEN
from ...tasks.generation.conversation import CAPTION_PROMPT

#: Requests for a caption; the first one is that of task generation, and what held-out photographs are measured with.
REQUESTS = (
    CAPTION_PROMPT,
    "Describe the photograph.",
    "What is in the picture?",
    "Write a caption for this photo.",
    "Describe the image in one sentence.",
    "What do you see?",
    "What is happening here?",
)


@dataclass(frozen=True)
class Batch:
    """Sequences of equal length.

    Attributes:
        ids: ``(photos, tokens)``; image tokens stand for the features of the photographs.
        positions: ``(photos, tokens)``.
        seen: what each token attends to, ``(photos, 1, tokens, tokens)``.
        labels: the token that follows where it is one of a caption, ``IGNORED`` elsewhere, ``(photos, tokens)``.
    """

    ids: Tensor
    positions: Tensor
    seen: Tensor
    labels: Tensor


def clean(caption: str) -> str:
    """A caption with a capital letter and its full stop where they belong."""
    text = re.sub(r"\s+([.,!?])", r"\1", caption.strip())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def beginning(tokenizer: Any, request: str, image_tokens: int) -> list[int]:
    """The ids up to where a caption begins."""
    content = [{"type": "image"}, {"type": "text", "text": request}]
    messages = [{"role": "user", "content": content}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    found: list[int] = tokenizer(text.replace(IMAGE_TOKEN, IMAGE_TOKEN * image_tokens))["input_ids"]
    return found


def pack(starts: Sequence[Sequence[int]], captions: Sequence[Sequence[Sequence[int]]], fill: int) -> Batch:
    """One sequence a photograph.

    Args:
        starts: of each photograph, see :func:`beginning`.
        captions: ids of each photograph's captions with their ends.
        fill: id of what fills up shorter sequences.
    """
    rows = [_row(start, own) for start, own in zip(starts, captions, strict=True)]
    longest = max(len(row[0]) for row in rows)
    shape = (len(rows), longest)
    ids, positions = torch.full(shape, fill), torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, IGNORED)
    seen = torch.eye(longest, dtype=torch.bool).repeat(len(rows), 1, 1)  # filling sees itself, or nothing is defined
    for number, (own, places, segments, wanted) in enumerate(rows):
        size = len(own)
        ids[number, :size], positions[number, :size] = torch.tensor(own), torch.tensor(places)
        labels[number, :size] = torch.tensor(wanted)
        part = np.array(segments)
        visible = (part[None] == part[:, None]) | (part[None] == 0)
        seen[number, :size, :size] = torch.from_numpy(np.tril(visible))
    return Batch(ids, positions, seen[:, None], labels)


def _row(start: Sequence[int], captions: Sequence[Sequence[int]]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Ids, positions, number of the segment (0: the beginning) and labels of one sequence.

    The last token of the beginning would have to predict the first one of every caption, so each has a copy of it.
    """
    ids, positions = list(start[:-1]), list(range(len(start) - 1))
    segments, labels = [0] * len(ids), [IGNORED] * len(ids)
    for number, caption in enumerate(captions, 1):
        ids += [start[-1], *caption[:-1]]
        positions += range(len(start) - 1, len(start) - 1 + len(caption))
        segments += [number] * len(caption)
        labels += caption
    return ids, positions, segments, labels
