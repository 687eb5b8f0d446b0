"""Image-caption pairs for pre-training: the n-th pair of a seed is always the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from ...core.ignored_label import IGNORED
from .captions import Caption, make_caption
from .scene import Style, draw, make_scene

_MASK_OTHER = 0.04


@dataclass(frozen=True)
class Lesson:
    """A part of a training stage, from easy to hard.

    Attributes:
        until: where it ends, as a fraction of the stage.
        style: the scenes it shows.
        mlm_share: fraction of its pairs that are for masked-language modelling; the others are for matching.
        mask_telling: probability that a word is masked which only the image can tell.
        statements: statements per caption at most.
    """

    until: float
    style: Style
    mlm_share: float = 0.7
    mask_telling: float = 0.6
    statements: int = 2


#: From large black shapes on a light background to all scenes. Without the first lessons the model learns colours at
#: once and stays at chance on shapes for more than 100,000 pairs.
NAMING = (
    Lesson(0.04, Style(1, ("black",), ("light",), smallest_radius=11.5), mlm_share=1.0, mask_telling=1.0),
    Lesson(0.12, Style(1, ("black",), ("light",)), mlm_share=1.0, mask_telling=1.0),
    Lesson(0.30, Style(1, backgrounds=("light",)), mlm_share=0.8, mask_telling=0.8),
    Lesson(0.50, Style(1)),
    Lesson(1.00, Style()),
)

#: Mostly matching, from one statement about one shape to all scenes. After ``NAMING`` a model finds only two thirds
#: of the simple false statements ("there is no circle"); here it learns to compare words with the image.
MATCHING = (
    Lesson(0.40, Style(1), mlm_share=0.25, statements=1),
    Lesson(0.60, Style(1), mlm_share=0.25),
    Lesson(1.00, Style(), mlm_share=0.4),
)


@dataclass(frozen=True)
class Pair:
    """An image with a caption.

    Attributes:
        pixels: ``(3, side, side)`` in 0…255.
        masked: which words of the caption are masked; none in a matching pair.
        matches: the label of a matching pair; ``None`` for masked-language modelling.
    """

    pixels: np.ndarray
    caption: Caption
    masked: tuple[bool, ...]
    matches: bool | None


class ScenePairs(Dataset[Pair]):
    """``length`` pairs over ``scenes`` different images per lesson; images are drawn once and kept in memory.

    A pair is either a true caption with masked words (MLM), or a whole caption that is false in half of the cases
    (ITM). Read in order, the pairs follow ``lessons``.
    """

    def __init__(
        self, length: int, scenes: int, seed: int, side: int, lessons: tuple[Lesson, ...] = NAMING[-1:]
    ) -> None:
        self.length, self.scenes, self.seed, self.side, self.lessons = length, scenes, seed, side, lessons
        self._pictures: dict[tuple[int, int], np.ndarray] = {}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Pair:
        number = next(k for k, lesson in enumerate(self.lessons) if index < lesson.until * self.length)
        lesson, scene_index = self.lessons[number], index % self.scenes
        scene = make_scene(self.seed + number, scene_index, lesson.style)
        if (number, scene_index) not in self._pictures:
            picture = draw(scene).resize((self.side, self.side), resample=Image.Resampling.BICUBIC)
            self._pictures[number, scene_index] = np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
        pixels = self._pictures[number, scene_index]
        rng = np.random.default_rng((self.seed, number, index))
        if rng.random() < lesson.mlm_share:
            caption = make_caption(scene, rng, true=True, most=lesson.statements)
            return Pair(pixels, caption, _mask(caption, rng, lesson.mask_telling), None)
        matches = bool(rng.random() < 0.5)
        caption = make_caption(scene, rng, true=matches, most=lesson.statements)
        return Pair(pixels, caption, (False,) * len(caption.words), matches)


def _mask(caption: Caption, rng: np.random.Generator, mask_telling: float) -> tuple[bool, ...]:
    """Mask a word everywhere in the caption or nowhere, so that no copy of it gives the answer away."""
    kinds = sorted(set(caption.words))
    hidden = {word for word in kinds if rng.random() < (mask_telling if word in caption.telling else _MASK_OTHER)}
    hidden = hidden or {str(rng.choice(kinds))}
    return tuple(word in hidden for word in caption.words)


class PairCollator:
    """Collate pairs for :meth:`ViltForPretraining.forward`; pixels are scaled to [-1, 1] as ViLT's are."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer

    def __call__(self, pairs: list[Pair]) -> dict[str, Tensor]:
        mask = str(self.tokenizer.mask_token)
        hidden = [
            " ".join(mask if hide else word for word, hide in zip(pair.caption.words, pair.masked, strict=True))
            for pair in pairs
        ]
        inputs = self.tokenizer(hidden, padding=True, truncation=True, return_tensors="pt")
        whole = self.tokenizer([p.caption.text for p in pairs], padding=True, truncation=True, return_tensors="pt")
        labels = torch.where(inputs["input_ids"] == self.tokenizer.mask_token_id, whole["input_ids"], IGNORED)
        pixels = torch.from_numpy(np.stack([pair.pixels for pair in pairs])).float()
        return {
            "input_ids": inputs["input_ids"],
            "attention_mask": inputs["attention_mask"],
            "pixel_values": pixels / 127.5 - 1,
            "mlm_labels": labels,
            "itm_labels": torch.tensor([IGNORED if pair.matches is None else int(pair.matches) for pair in pairs]),
        }
