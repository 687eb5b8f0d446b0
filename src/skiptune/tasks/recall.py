"""Mean recall as a mean over images: what each image adds, for intervals; and what chance gives."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from .retrieval_config import RANKS


def recall_terms(texts_ahead: np.ndarray, images_ahead: np.ndarray, owner: np.ndarray) -> tuple[float, ...]:
    """One number per image, whose mean is the mean recall: half from its own ranking of texts, half from those of its
    texts, which weigh the same whatever image they are of.

    Args:
        texts_ahead: ``(images,)``: wrong texts ahead of an image's best true one.
        images_ahead: ``(texts,)``: wrong images ahead of a text's true one.
        owner: ``(texts,)``: the image of every text.
    """
    of_images, of_texts = (np.mean([ahead < rank for rank in RANKS], axis=0) for ahead in (texts_ahead, images_ahead))
    summed = np.bincount(owner, of_texts, minlength=len(of_images))
    terms = (of_images + summed * len(of_images) / len(of_texts)) / 2
    return tuple(terms.tolist())


def chance_terms(captions: Sequence[int]) -> tuple[float, ...]:
    """The same, expected of rankings in random order, from the number of texts of every image."""
    images, texts = len(captions), sum(captions)
    found = {count: float(np.mean([_hit(count, texts, rank) for rank in RANKS])) for count in set(captions)}
    by_text = float(np.mean([min(1.0, rank / images) for rank in RANKS]))
    return tuple((found[count] + by_text * count * images / texts) / 2 for count in captions)


def _hit(own: int, texts: int, rank: int) -> float:
    """The probability that any of ``own`` is among the first ``rank`` of ``texts``."""
    return 1 - comb(texts - own, rank) / comb(texts, rank) if rank <= texts else 1.0
