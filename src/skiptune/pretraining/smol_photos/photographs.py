"""Photographs as the tower sees them, computed once and kept, with their captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.files import write_atomically
from ...core.number_types import fast_autocast
from ...core.progress import track
from ...data.pictures import decode
from ...data.records import Records
from ..photos.trunk_features import normalized, view
from .photo_texts import REQUESTS, Batch, beginning, clean, pack

_BATCH = 32
#: A photograph as it is, and mirrored.
VIEWS = 2


@dataclass(frozen=True)
class Photographs:
    """Photographs with captions.

    Attributes:
        features: of the tower, ``(photos, views, patches, width)``, float16, mapped into memory.
        captions: ids of every photograph's captions, with their ends.
    """

    features: np.ndarray
    captions: list[list[list[int]]]

    @classmethod
    def of(cls, path: Path, records: Records, tower: nn.Module, tokenizer: Any, views: int) -> Photographs:
        """Compute the features into ``path``, or read them if they are there."""
        if not path.is_file():
            write_atomically(path, lambda temporary: _compute(temporary, records, tower, views))
        end = tokenizer.eos_token_id
        ids = [[[*tokenizer(clean(text))["input_ids"], end] for text in record.captions] for record in records]
        return cls(np.load(path, mmap_mode="r"), ids)

    def __len__(self) -> int:
        return len(self.captions)

    def batch(self, photos: Sequence[int], starts: Sequence[Sequence[int]], fill: int) -> Batch:
        """The captions of some photographs, after these beginnings."""
        return pack(starts, [self.captions[photo] for photo in photos], fill)

    def take(self, photos: Sequence[int], views: Sequence[int]) -> Tensor:
        """Features ``(photos, patches, width)``."""
        return torch.from_numpy(self.features[list(photos), list(views)]).float()


def beginnings(tokenizer: Any, image_tokens: int) -> list[list[int]]:
    """Of every request."""
    return [beginning(tokenizer, request, image_tokens) for request in REQUESTS]


@torch.inference_mode()
def _compute(path: Path, records: Records, tower: nn.Module, views: int) -> None:
    side = int(tower.config.image_size)  # type: ignore[union-attr, arg-type]
    rows = []
    for start in track(range(0, len(records), _BATCH), "photographs"):
        some = records[start : start + _BATCH]
        pictures = [decode(record.picture) for record in some]
        pixels = [view(picture, number, side, (0,)) for picture in pictures for number in range(views)]
        with fast_autocast():
            found = tower(normalized(np.stack(pixels))).last_hidden_state[:, 1:]
        rows.append(found.float().half().numpy().reshape(len(pictures), views, *found.shape[1:]))
    with path.open("wb") as file:
        np.save(file, np.concatenate(rows))
