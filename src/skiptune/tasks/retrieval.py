"""Image-text retrieval: a number for how well a text and an image go together, and recall over all pairs.

Trained as the released code does: one true and 15 false texts an image, cross-entropy over their scores.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.records import Record
from ..errors import InputError
from ..progress import track
from .base import Evaluation, Task, on_device, refuse_without

FALSE_TEXTS = 15
_RANKS = (1, 5, 10)


class Retrieval(Task):
    """Images with captions.

    Args:
        processor: of the model.
        pool: records whose captions serve as false texts while training; ``None``: the task can only measure.
        false_texts: how many of them go with every image.
        seed: of the choice of texts, which depends on it and on the batch alone, so that a resumed training repeats it.
    """

    name = "retrieval"
    metric = "mean_recall"
    unit = "images"

    def __init__(
        self,
        processor: Any,
        pool: Sequence[Record] | None = None,
        false_texts: int = FALSE_TEXTS,
        seed: int = 0,
    ) -> None:
        super().__init__(processor)
        self.pool, self.false_texts, self.seed = pool, false_texts, seed

    @classmethod
    def from_records(cls, processor: Any, records: Sequence[Record], least: int = 1) -> Retrieval:
        """The false texts are captions of other images in ``records``."""
        return cls(processor, records)

    def settings(self) -> dict[str, Any]:
        return {}

    def model_changes(self) -> dict[str, Any]:
        return {}

    @classmethod
    def check(cls, records: Sequence[Record]) -> None:
        refuse_without(records, cls.name, "captions", lambda record: record.captions)

    def collate(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """``input_ids``, ``attention_mask`` (batch, 1 + false texts, tokens), pixels, and ``labels``, all 0: the true
        text comes first, which a score of one pair at a time cannot know.

        Raises:
            InputError: there is no pool, or it has captions of one image only.
        """
        rng = np.random.default_rng((self.seed, zlib.crc32(repr([record.captions for record in records]).encode())))
        texts = [text for record in records for text in (_pick(rng, record.captions), *self._false(rng, record))]
        text = {name: value.view(len(records), -1, value.shape[-1]) for name, value in self.tokenize(texts).items()}
        pixels = self.images.batch([record.image for record in records])
        return {**text, **pixels, "labels": torch.zeros(len(records), dtype=torch.long)}

    def _false(self, rng: np.random.Generator, record: Record) -> list[str]:
        found: list[str] = []
        for _ in range(100 * self.false_texts):
            if len(found) == self.false_texts:
                return found
            other = self.pool[int(rng.integers(len(self.pool)))] if self.pool else record
            if other.image != record.image:
                found.append(_pick(rng, other.captions))
        raise InputError("retrieval: false texts are captions of other images, and there are none to draw from")

    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        """Recall at 1, 5 and 10 over all pairs of an image and a text, both ways; ``mean_recall`` is their mean.

        Every pair goes through the model, ``batch_size`` texts at a time, and only counts are kept: memory grows with
        images plus texts, not with their product. A tie counts against the true pair.
        """
        texts = sorted(((len(text), row, text) for row, record in enumerate(records) for text in record.captions))
        owner = np.array([row for _, row, _ in texts])
        tokens = [
            self.tokenize([text for *_, text in texts[start : start + batch_size]])
            for start in range(0, len(texts), batch_size)
        ]
        true = np.full(len(texts), -np.inf)
        for row in track(range(len(records)), f"{title}: own"):
            own = np.flatnonzero(owner == row)
            true[own] = self._scores(model, records[row], self.tokenize([texts[k][2] for k in own]))
        best = np.array([true[owner == row].max() for row in range(len(records))])
        texts_ahead, images_ahead = np.zeros(len(records), dtype=np.int64), np.zeros(len(texts), dtype=np.int64)
        answer, highest = np.zeros(len(records), dtype=np.int64), np.full(len(records), -np.inf)
        for turn in track(range(len(records) * len(tokens)), title):
            row, part = divmod(turn, len(tokens))
            place = slice(part * batch_size, (part + 1) * batch_size)
            scores = self._scores(model, records[row], tokens[part])
            foreign = owner[place] != row
            texts_ahead[row] += int((foreign & (scores >= best[row])).sum())
            images_ahead[place] += foreign & (scores >= true[place])
            if scores.max() > highest[row]:
                answer[row], highest[row] = place.start + scores.argmax(), scores.max()
        recalls = {
            f"{kind}_recall@{rank}": float((ahead < rank).mean())
            for kind, ahead in (("text", texts_ahead), ("image", images_ahead))
            for rank in _RANKS
        }
        metrics = {"mean_recall": sum(recalls.values()) / len(recalls), **recalls}
        said = tuple(texts[k][2] for k in answer)
        hits = tuple(float(ahead == 0) for ahead in texts_ahead)
        return Evaluation(metrics, self._loss(model, records, batch_size), len(records), 0, said, hits)

    def accepted(self, record: Record) -> list[str]:
        return list(record.captions)

    def answer(self, model: nn.Module, record: Record, top: int) -> list[dict[str, Any]]:
        return [{"answer": record.text, "score": float(self._scores(model, record, self.tokenize([record.text]))[0])}]

    def _scores(self, model: nn.Module, record: Record, tokens: dict[str, Tensor]) -> np.ndarray:
        """Scores ``(texts,)`` of one image with some texts."""
        batch = {**{name: value[None] for name, value in tokens.items()}, **self.images.batch([record.image])}
        scores: np.ndarray = model(**on_device(batch, model)).logits[0].double().cpu().numpy()
        return scores

    def _loss(self, model: nn.Module, records: Sequence[Record], batch_size: int) -> float:
        """The training loss, its false texts from ``records`` themselves; 0 for a single image."""
        if len(records) < 2:
            return 0.0
        task = Retrieval(self.processor, records, self.false_texts, self.seed)
        task.images = self.images
        size = max(1, batch_size // (1 + self.false_texts))
        total = 0.0
        for start in range(0, len(records), size):
            part = [records[row] for row in range(start, min(start + size, len(records)))]
            total += float(model(**on_device(task.collate(part), model)).loss) * len(part)
        return total / len(records)


def _pick(rng: np.random.Generator, texts: Sequence[str]) -> str:
    return texts[int(rng.integers(len(texts)))]
