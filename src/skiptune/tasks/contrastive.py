"""Retrieval by two towers that meet only in a similarity (CLIP, SigLIP): batches of pairs, ranks from vectors.

A batch holds one caption of each record. The false partners of a pair are the other texts and images of its batch, but
neither other captions of its image nor the same caption again. An evaluation encodes every image and every text once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.progress import track
from ..data.record import Record
from ..families.head_inputs import Encoded
from .ranking import Ranks
from .retrieval_config import RANKS
from .same_images import image_key

#: Number of similarities that are held at a time.
_HELD = 2**22


def is_contrastive(model: object) -> bool:
    """Whether a model, or a class of models, is trained on batches of pairs."""
    return bool(getattr(model, "contrastive", False))


def image_numbers(records: Sequence[Record]) -> Tensor:
    """A number for each record, ``(batch,)``; those of one image have the same."""
    numbers: dict[Any, int] = {}
    return torch.tensor([numbers.setdefault(image_key(record), len(numbers)) for record in records])


def ranks_of_vectors(
    model: Any, texts: Encoded, images: Encoded, owner: np.ndarray, title: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks among all pairs, see :class:`Ranks`.

    Args:
        model: compares the vectors.
        texts, images: vectors, ``(texts, width)`` and ``(images, width)``.
        owner: the image of every text, ``(texts,)``.
        title: of the progress bar.

    Returns:
        The number of wrong partners ahead of every image's texts ``(images,)`` and of every text's image ``(texts,)``,
        and the best text of every image ``(images,)``.
    """
    count, number = len(images[0]), len(texts[0])
    of_texts, of_images = Ranks(count, max(RANKS)), Ranks(number, max(RANKS))
    best = np.zeros(count, dtype=np.int64)
    step = max(1, _HELD // number)
    for start in track(range(0, count, step), title):
        rows = slice(start, min(start + step, count))
        scores = model.compare(texts, (images[0][rows],)).double().cpu().numpy()
        own = owner[None] == np.arange(rows.start, rows.stop)[:, None]
        of_texts.add(rows, scores, own)
        of_images.add(slice(None), scores.T, own.T)
        best[rows] = scores.argmax(1)
    return of_texts.ahead(), of_images.ahead(), best


def loss_of_vectors(
    model: Any, texts: Encoded, images: Encoded, captions: Sequence[tuple[int, str]], size: int
) -> float:
    """The training loss over batches of ``size`` different images, weighted by their sizes.

    Args:
        model: compares the vectors.
        texts, images: vectors, ``(texts, width)`` and ``(images, width)``.
        captions: for every image, the row and the words of the caption that it is paired with.
        size: of a batch; more pairs in it are harder to tell apart.
    """
    total = 0.0
    for part in _parts(len(captions), size):
        rows, words = zip(*captions[part], strict=True)
        logits = model.compare((texts[0][list(rows)],), (images[0][part],))
        total += float(contrast_loss(model, logits, words)) * len(words)
    return total / len(captions)


def contrast_loss(model: Any, logits: Tensor, captions: Sequence[str]) -> Tensor:
    """The training loss of a batch of pairs of different images.

    Args:
        model: or its class.
        logits: scaled similarities ``(batch, batch)``, a row an image.
        captions: of the images; pairs of the same one are no false ones.
    """
    words = np.array(captions)
    ignored = torch.from_numpy((words[:, None] == words[None]) & ~np.eye(len(words), dtype=bool))
    found: Tensor = model.contrast(logits, ignored.to(logits.device))
    return found


def _parts(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
