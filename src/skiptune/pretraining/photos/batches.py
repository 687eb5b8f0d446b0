"""Batches of photos with captions and of generated scenes with statements; the n-th batch is always the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import BertTokenizer

from ...core.ignored_label import IGNORED
from ..scenes.captions import make_caption
from ..scenes.pairs import NAMING
from ..scenes.scene import Scene, make_scene

#: Captions are truncated to this many pieces in training; few are longer, and the longest sets the cost of its batch.
LONGEST = 20


@dataclass(frozen=True)
class Batch:
    """Texts with their images.

    Attributes:
        pictures, views: indices into the cached features, ``(batch,)``.
        input_ids, mask: texts and their attention mask, ``(batch, tokens)``.
        hidden_ids, labels: the texts with masked words, and the ids of the masked pieces, ``IGNORED`` elsewhere.
        matches: 1 where text and image match, ``(batch,)``.
    """

    pictures: np.ndarray
    views: np.ndarray
    input_ids: Tensor
    mask: Tensor
    hidden_ids: Tensor
    labels: Tensor
    matches: Tensor

    def texts(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``input_ids``, ``mask``, ``hidden_ids``, ``labels`` on a device."""
        return (
            self.input_ids.to(device),
            self.mask.to(device),
            self.hidden_ids.to(device),
            self.labels.to(device),
        )


def photo_batch(
    captions: Sequence[Sequence[str]],
    views: int,
    tokenizer: BertTokenizer,
    size: int,
    mask_share: float,
    seed: Sequence[int],
) -> Batch:
    """``size`` different photos, each with one of its captions."""
    rng = np.random.default_rng(seed)
    pictures = rng.choice(len(captions), size=min(size, len(captions)), replace=False)
    texts = [captions[k][int(rng.integers(len(captions[k])))] for k in pictures]
    ids, mask = tokenize(tokenizer, texts, LONGEST)
    hide = torch.from_numpy(rng.random(ids.shape) < mask_share)
    return _hidden(pictures, rng.integers(views, size=len(pictures)), ids, mask, hide, tokenizer, np.ones(len(texts)))


def scene_batch(seed_of_scenes: int, scenes: int, tokenizer: BertTokenizer, size: int, seed: Sequence[int]) -> Batch:
    """``size`` scenes, half of them with a false statement; masked are mostly words that only the image can tell."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(scenes, size=size)
    matches = rng.random(size) < 0.5
    captions = [
        make_caption(scene_of(seed_of_scenes, int(k)), rng, true=bool(match), most=1)
        for k, match in zip(pictures, matches, strict=True)
    ]
    ids, mask = tokenize(tokenizer, [caption.text for caption in captions])
    telling = [set(tokenizer.convert_tokens_to_ids(list(caption.telling))) for caption in captions]
    tells = torch.tensor([[int(piece) in words for piece in row] for row, words in zip(ids, telling, strict=True)])
    hide = torch.from_numpy(rng.random(ids.shape)) < torch.where(tells, 0.6, 0.03)
    # the words of a false statement cannot be predicted from the image
    hide &= torch.from_numpy(matches)[:, None]
    return _hidden(pictures, np.zeros(size, dtype=np.int64), ids, mask, hide, tokenizer, matches)


def scene_of(seed: int, number: int) -> Scene:
    """Scene ``number``, in turn from every style of the lessons ``NAMING``."""
    return make_scene(seed, number, NAMING[number % len(NAMING)].style)


def tokenize(tokenizer: BertTokenizer, texts: list[str], longest: int | None = None) -> tuple[Tensor, Tensor]:
    """Ids and attention mask, ``(texts, tokens)``; truncated to ``longest``, by default to the model's longest."""
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
    return inputs["input_ids"], inputs["attention_mask"]


def _hidden(
    pictures: np.ndarray,
    views: np.ndarray,
    ids: Tensor,
    mask: Tensor,
    hide: Tensor,
    tokenizer: BertTokenizer,
    matches: np.ndarray,
) -> Batch:
    special = torch.tensor(tokenizer.all_special_ids)
    hide = hide & ~torch.isin(ids, special)
    hidden = ids.masked_fill(hide, tokenizer.mask_token_id)
    labels = ids.masked_fill(~hide, IGNORED)
    return Batch(pictures, views, ids, mask, hidden, labels, torch.from_numpy(matches.astype(np.int64)))
