"""Image-text retrieval: a score for each pair of text and image, and recall over all pairs.

Trained as in the released code: one true and 15 false texts per image, cross-entropy over their scores. CLIP and SigLIP
are trained on batches of pairs instead, see :mod:`skiptune.tasks.contrastive`.

The released METER run adds image-text matching: a second pass over the texts of the micro-batch, in which a random half
of them gets images drawn from all data, and two classes by the pre-trained head, which stays frozen. The losses are
summed; the 0.5 in its settings only switches this loss on. Here the pairs of the first pass are used again, each image
with its true text and with one false text: also half and half, without a second pass.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import InputError
from ..core.progress import track
from ..data.augment import unvaried
from ..data.given_records import Examples
from ..data.record import Record
from ..families.head_inputs import Encoded
from ..families.registry import family_of_processor
from .answer import Answer
from .contrastive import contrast_loss, image_numbers, is_contrastive, loss_of_vectors, ranks_of_vectors
from .encoding import all_texts, encoded_images, encoded_texts, parts_of, rows_of
from .evaluation_result import Evaluation
from .ranking import Ranks
from .recall import chance_terms, recall_terms
from .retrieval_config import FALSE_TEXTS, RANKS, SHORTLIST
from .same_images import joined_by_image
from .shortlist import Shortlist
from .task import Check, ConfigFields, Task, on_device, refuse_unless
from .task_settings import TaskSettings


class Retrieval(Task):
    """Images with captions.

    Args:
        processor: of the model.
        pool: records whose captions are the false texts in training; ``None``: the task can only evaluate.
        false_texts: how many of them go with every image.
        seed: of the choice of texts. It depends on the seed, the record and its epoch alone, so that a resumed training
            repeats it, and so does one that divides its batches among processes or micro-batches otherwise.
            A loop of your own says which epoch it is in, by ``dataclasses.replace(record, epoch=1)``; otherwise a
            record has the same false texts in every pass.
        matching_loss: whether the loss of image-text matching is added.
        shortlist: how many partners of a text or image an evaluation scores, see :class:`RetrievalConfig`.

    Raises:
        InputError: ``matching_loss`` with a family whose retrieval model has no head for it.
    """

    name = "retrieval"
    metric = "mean_recall"
    unit = "images"
    growth = 2

    def __init__(
        self,
        processor: Any,
        pool: Sequence[Record] | None = None,
        false_texts: int = FALSE_TEXTS,
        seed: int = 0,
        matching_loss: bool = False,
        shortlist: int | None = SHORTLIST,
    ) -> None:
        super().__init__(processor)
        self.pool, self.false_texts, self.seed, self.matching_loss = pool, false_texts, seed, matching_loss
        self.shortlist = shortlist
        if matching_loss and not family_of_processor(processor).matching:
            raise InputError(
                f"matching_loss: {family_of_processor(processor).name}'s ranking model has no head for image-text "
                "matching; leave it off"
            )

    @classmethod
    def from_records(
        cls,
        processor: Any,
        records: Examples,
        least: int = 1,
        *,
        false_texts: int = FALSE_TEXTS,
        matching_loss: bool = False,
        shortlist: int | None = SHORTLIST,
        seed: int = 0,
    ) -> Retrieval:
        """The false texts are captions of other images in ``records``; other arguments as in :class:`Retrieval`."""
        return cls(processor, cls.checked(records), false_texts, seed, matching_loss, shortlist)

    @classmethod
    def from_checked(cls, processor: Any, records: Sequence[Record], least: int = 1, **options: Any) -> Retrieval:
        """The false texts are captions of other images in ``records``; ``options`` as in :class:`RetrievalConfig`."""
        return cls(processor, records, **options)

    def settings(self) -> TaskSettings:
        return {"false_texts": self.false_texts, "matching_loss": self.matching_loss, "shortlist": self.shortlist}

    def model_changes(self) -> ConfigFields:
        family = family_of_processor(self.processor)
        return {"matching_loss": self.matching_loss} if family.matching else {}

    @classmethod
    def checker(cls) -> Check:
        def check(record: Record) -> None:
            refuse_unless(record.captions, cls.name, "captions")
            refuse_unless(record.image2 is None, cls.name, "one image")

        return check

    def collate(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """``input_ids``, ``attention_mask`` (batch, 1 + false texts, tokens), pixels, and ``labels``, all 0: the true
        text comes first. For CLIP and SigLIP a caption a record, (batch, tokens), and the numbers of the images.

        Raises:
            InputError: there is no pool, or it has captions of one image only.
        """
        if is_contrastive(self.model_class):
            pairs = self.tokenize([self._caption(record) for record in records])
            return {**pairs, **self.images.of(records), "labels": image_numbers(records)}
        texts = [text for record in records for text in self._texts(record)]
        text = {name: value.view(len(records), -1, value.shape[-1]) for name, value in self.tokenize(texts).items()}
        pixels = self.images.of(records)
        return {**text, **pixels, "labels": torch.zeros(len(records), dtype=torch.long)}

    def _texts(self, record: Record) -> list[str]:
        """One of the record's captions, then false texts: the same for this record and epoch in every batch."""
        rng = self._draws(record)
        return [_pick(rng, record.captions), *self._false(rng, record)]

    def _caption(self, record: Record) -> str:
        """The first of :meth:`_texts`."""
        return _pick(self._draws(record), record.captions)

    def _draws(self, record: Record) -> np.random.Generator:
        return np.random.default_rng((self.seed, record.epoch, zlib.crc32(repr(record.captions).encode())))

    def _false(self, rng: np.random.Generator, record: Record) -> list[str]:
        found: list[str] = []
        own = unvaried(record.picture)
        for _ in range(100 * self.false_texts):
            if len(found) == self.false_texts:
                return found
            other = self.pool[int(rng.integers(len(self.pool)))] if self.pool else record
            if other.image != own:
                found.append(_pick(rng, other.captions))
        raise InputError("retrieval: false texts are captions of other images, and there are none to draw from")

    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        """Recall at 1, 5 and 10, both ways, among all images and texts; ``mean_recall`` is their mean.

        Records of one image count as one. Texts go in batches of ``batch_size`` of about equal length. Encoders run
        once per text and once per image, the fusion for every pair, or for the pairs of a shortlist; CLIP and SigLIP
        have none, and compare vectors. Memory grows with
        images plus texts, not with their product. A tie counts against the true pair.
        """
        records, places = joined_by_image(records)
        sorted_texts = sorted((len(text), row, text) for row, record in enumerate(records) for text in record.captions)
        owner, texts = np.array([row for _, row, _ in sorted_texts]), [text for *_, text in sorted_texts]
        title = f"{title}: pairs"
        if is_contrastive(model):
            vectors = all_texts(self, model, texts, batch_size), encoded_images(self, model, records, batch_size)
            texts_ahead, images_ahead, answer = ranks_of_vectors(model, *vectors, owner, title)
            loss = loss_of_vectors(model, *vectors, self._paired(records, texts, owner), batch_size)
        else:
            rank = self._all_pairs if self.shortlist is None or not comparable(model) else self._shortlisted
            texts_ahead, images_ahead, answer = rank(model, records, texts, owner, batch_size, title)
            loss = self._loss(model, records, batch_size)
        recalls = {
            f"{kind}_recall@{rank}": float((ahead < rank).mean())
            for kind, ahead in (("text", texts_ahead), ("image", images_ahead))
            for rank in RANKS
        }
        metrics = {"mean_recall": sum(recalls.values()) / len(recalls), **recalls}
        said = tuple(texts[answer[place]] for place in places)
        hits = tuple(float(texts_ahead[place] == 0) for place in places)
        terms = recall_terms(texts_ahead, images_ahead, owner)
        return Evaluation(metrics, loss, len(records), 0, said, hits, terms=terms)

    def priors(self, train: Sequence[Record], records: Sequence[Record]) -> dict[str, tuple[float, ...]]:
        """``chance``: the mean recall that is expected of a random order, image by image."""
        images, _ = joined_by_image(records)
        return {"chance": chance_terms([len(record.captions) for record in images])}

    def _paired(self, records: Sequence[Record], texts: Sequence[str], owner: np.ndarray) -> list[tuple[int, str]]:
        """For every record, the place in ``texts`` and the words of its caption in :meth:`collate`."""
        places = {(row, text): place for place, (row, text) in enumerate(zip(owner.tolist(), texts, strict=True))}
        captions = [self._caption(record) for record in records]
        return [(places[row, caption], caption) for row, caption in enumerate(captions)]

    def _all_pairs(
        self, model: Any, records: Sequence[Record], texts: Sequence[str], owner: np.ndarray, size: int, title: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The number of wrong partners ahead of every image's texts ``(images,)`` and of every text's image
        ``(texts,)``, see :class:`Ranks`, and the best text of every image ``(images,)``.

        Images are processed one by one, and encoded again for every GiB of encoded texts.
        """
        of_texts, of_images = Ranks(len(records), max(RANKS)), Ranks(len(texts), max(RANKS))
        answer, highest = np.zeros(len(records), dtype=np.int64), np.full(len(records), -np.inf)
        for row, place, scores in self._all_scores(model, records, encoded_texts(self, model, texts, size), title):
            own = owner[place] == row
            of_texts.add(slice(row, row + 1), scores[None], own[None])
            of_images.add(place, scores[:, None], own[:, None])
            if scores.max() > highest[row]:
                answer[row], highest[row] = place.start + scores.argmax(), scores.max()
        return of_texts.ahead(), of_images.ahead(), answer

    def _shortlisted(
        self, model: Any, records: Sequence[Record], texts: Sequence[str], owner: np.ndarray, size: int, title: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As :meth:`_all_pairs`, but each text with its nearest images and each image with its nearest texts only.

        All encoder outputs are held in memory.
        """
        assert self.shortlist is not None
        encoded = [batch for kept in encoded_texts(self, model, texts, size) for batch in kept]
        images = encoded_images(self, model, records, size)
        vectors = torch.cat([model.text_vectors(batch) for _, batch in encoded])
        nearest = Shortlist.of(vectors, model.image_vectors(images), self.shortlist)
        found = []
        for place, batch in track(encoded, title):
            for text, image in nearest.pairs(place, size):
                pairs = rows_of(batch, text - place.start), rows_of(images, image)
                found.append(model.score(*pairs)[:, 0].double().cpu().numpy())
        of_images, of_texts = nearest.by_query(np.concatenate(found))
        rows, every = np.arange(len(records)), slice(None)
        text_ranks, image_ranks = Ranks(len(records), max(RANKS)), Ranks(len(texts), max(RANKS))
        text_ranks.add(every, of_images, owner[nearest.of_images] == rows[:, None])
        image_ranks.add(every, of_texts, nearest.of_texts == owner[:, None])
        return text_ranks.ahead(), image_ranks.ahead(), nearest.of_images[rows, of_images.argmax(1)]

    def _all_scores(
        self, model: Any, records: Sequence[Record], batches: Iterator[list[tuple[slice, Encoded]]], title: str
    ) -> Iterator[tuple[int, slice, np.ndarray]]:
        """An image's row, the place of some texts, and their scores ``(texts,)``, for all images and texts."""
        for number, kept in enumerate(batches, start=1):
            for row in track(range(len(records)), title if number == 1 else f"{title}, part {number}"):
                image = model.encode_images(**on_device(self.images.of([records[row]]), model))
                for place, encoded in kept:
                    yield row, place, model.score(encoded, image)[0].double().cpu().numpy()

    def accepted(self, record: Record) -> list[str]:
        return list(record.captions)

    def prepare(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """The images, and all texts of all records behind each other, ``(texts, tokens)``."""
        texts = self.tokenize([text for record in records for text in _asked(record)])
        return {**texts, **self.images.of(records)}

    def answers_to(
        self, model: Any, records: Sequence[Record], inputs: dict[str, Tensor], top: int
    ) -> list[tuple[Answer, ...]]:
        """For each record, its text with a score; of one with several captions the ``top`` best."""
        counts = [len(_asked(record)) for record in records]
        batch = on_device(inputs, model)
        texts = {name: batch.pop(name) for name in ("input_ids", "attention_mask")}
        if set(counts) == {1}:
            scores = model(**{name: value.unsqueeze(1) for name, value in texts.items()}, **batch).logits.flatten()
        else:
            owners = np.repeat(np.arange(len(records)), counts)
            images = rows_of(model.encode_images(**batch), owners)
            scores = model.score(model.encode_texts(**texts), images)[:, 0]
        found = iter(scores.tolist())
        scored = ([Answer(text, score=next(found)) for text in _asked(record)] for record in records)
        return [tuple(sorted(own, key=lambda answer: -(answer.score or 0.0))[:top]) for own in scored]

    def pair_scores(self, model: Any, records: Sequence[Record], texts: Sequence[str], size: int) -> np.ndarray:
        """The scores of the records' images with all ``texts``, ``(images, texts)``; about ``size`` pairs at a time."""
        found = np.zeros((len(records), len(texts)))
        together = max(1, size // len(texts))
        for kept in encoded_texts(self, model, texts, size):
            for start in range(0, len(records), together):
                part = records[start : start + together]
                images = model.encode_images(**on_device(self.images.of(part), model))
                for place, encoded in kept:
                    rows = np.tile(np.arange(place.stop - place.start), len(part))
                    scores = model.score(rows_of(encoded, rows), images).double().cpu().numpy()
                    found[start : start + len(part), place] = scores
        return found

    def _loss(self, model: nn.Module, records: Sequence[Record], batch_size: int) -> float:
        """The training loss, its false texts from ``records``, whatever the batches; 0 for a single image."""
        if len(records) < 2:
            return 0.0
        if is_contrastive(self.model_class):  # and this is its graph, which takes no pairs
            return sum(self._contrast(model, part) * len(part) for part in parts_of(records, batch_size)) / len(records)
        task = Retrieval(self.processor, records, self.false_texts, self.seed, self.matching_loss)
        task.images = self.images
        task.cut_texts_for(model)
        total = 0.0
        for part in parts_of(records, max(1, batch_size // (1 + self.false_texts))):
            total += float(model(**on_device(task.collate(part), model)).loss) * len(part)
        return total / len(records)

    def _contrast(self, model: nn.Module, records: Sequence[Record]) -> float:
        """The loss of one batch of pairs."""
        captions = [self._caption(record) for record in records]
        scores = torch.from_numpy(self.pair_scores(model, records, captions, len(records)))
        return float(contrast_loss(self.model_class, scores, captions))


def comparable(model: nn.Module) -> bool:
    """Whether texts and images can be compared by the model's encoders alone, see :class:`RankHead`."""
    return bool(getattr(model, "comparable", False))


def _pick(rng: np.random.Generator, texts: Sequence[str]) -> str:
    return texts[int(rng.integers(len(texts)))]


def _asked(record: Record) -> tuple[str, ...]:
    """The texts that an image is compared with."""
    return record.captions or (record.text,)
