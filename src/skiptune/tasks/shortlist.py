"""Which pairs of texts and images the fusion scores: the nearest by the cosine of the encoders' vectors.

As in ALBEF's evaluation (Li et al., 2021): the whole model ranks the nearest partners of every query, and all others
come after them. A true partner that is not among the nearest counts as not found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: Number of cosines that are held at a time.
_HELD = 2**22


@dataclass(frozen=True)
class Shortlist:
    """The nearest partners of all texts and images.

    Attributes:
        of_images: rows of texts, ``(images, count)``, ascending.
        of_texts: rows of images, ``(texts, count)``, ascending.
        texts, images: rows of all pairs of either list, each once, by text, ``(pairs,)`` each.
    """

    of_images: np.ndarray
    of_texts: np.ndarray
    texts: np.ndarray
    images: np.ndarray

    @classmethod
    def of(cls, texts: Tensor, images: Tensor, count: int) -> Shortlist:
        """Of unit vectors ``(texts, width)`` and ``(images, width)``: the ``count`` of highest cosine."""
        of_images, of_texts = _nearest(images, texts, count), _nearest(texts, images, count)
        pairs = np.union1d(*_numbers(of_images, of_texts))
        return cls(of_images, of_texts, *np.divmod(pairs, len(images)))

    def pairs(self, place: slice, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of texts and of images of the pairs whose texts are in ``place``, ``size`` at a time."""
        first, last = np.searchsorted(self.texts, (place.start, place.stop))
        for start in range(first, last, size):
            part = slice(start, min(start + size, last))
            yield self.texts[part], self.images[part]

    def by_query(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores ``(pairs,)`` as those of ``of_images`` and of ``of_texts``, in their shapes."""
        pairs = self.texts * len(self.of_images) + self.images
        own, theirs = _numbers(self.of_images, self.of_texts)
        return scores[np.searchsorted(pairs, own)], scores[np.searchsorted(pairs, theirs)]


def _numbers(of_images: np.ndarray, of_texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs as one number each, which grows with the text, then with the image; in the shapes of the lists."""
    images, texts = len(of_images), len(of_texts)
    return images * of_images + np.arange(images)[:, None], images * np.arange(texts)[:, None] + of_texts


def _nearest(queries: Tensor, keys: Tensor, count: int) -> np.ndarray:
    parts = torch.split(queries, max(1, _HELD // len(keys)))
    found = [(part @ keys.T).topk(min(count, len(keys)), dim=1).indices.cpu().numpy() for part in parts]
    return np.sort(np.concatenate(found), axis=1)
