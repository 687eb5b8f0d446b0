"""Accuracies and recalls of ``meter-photos`` on photos that it was not trained on."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from ...core.ignored_label import IGNORED
from ...core.progress import track
from .batches import photo_batch, tokenize
from .meter_for_pretraining import MeterForPretraining
from .training_data import Captions, TrainingData
from .trunk_features import Features

#: Number of photos whose pairs with all their captions are scored by the fusion layers.
FUSED_PHOTOS = 100
_RANK, _BATCH = 10, 50


Scores = TypedDict(
    "Scores",
    {
        "itm_accuracy": float,
        "mlm_accuracy": float,
        "encoders_text_recall@10": float,
        "encoders_image_recall@10": float,
        "fusion_text_recall@10": float,
        "fusion_image_recall@10": float,
    },
)


@torch.inference_mode()
def score(model: MeterForPretraining, data: TrainingData) -> Scores:
    """Accuracies and recalls in [0, 1].

    ``itm_accuracy``: image-text matching of every held-out photo with its first caption, and with the first caption of
    another photo. ``mlm_accuracy``: masked word pieces. ``text_recall@10``: photos with one of their captions among the
    first ten; ``image_recall@10``: captions with their photo among the first ten. ``encoders`` ranks all held-out
    photos and captions by the cosine of the two encoders; ``fusion`` ranks the first :data:`FUSED_PHOTOS` by the
    matching head.
    """
    model.eval()
    features, captions = data.heldout, data.heldout_captions
    images, texts, owner = unit_vectors(model, features, captions, data)
    encoders = recall(images @ texts.T, owner)
    some = captions[:FUSED_PHOTOS]
    fused = _fused(model, data, [text for own in some for text in own], len(some))
    own = np.repeat(np.arange(len(some)), [len(each) for each in some])
    fusion = recall(fused, own)
    return {
        "itm_accuracy": _itm(model, data),
        "mlm_accuracy": _mlm(model, data),
        "encoders_text_recall@10": encoders["text_recall@10"],
        "encoders_image_recall@10": encoders["image_recall@10"],
        "fusion_text_recall@10": fusion["text_recall@10"],
        "fusion_image_recall@10": fusion["image_recall@10"],
    }


def quick_recall(model: MeterForPretraining, data: TrainingData) -> float:
    """``encoders_text_recall@10`` over all held-out photos and their first captions only."""
    model.eval()
    images, texts, owner = unit_vectors(model, data.heldout, [captions[:1] for captions in data.heldout_captions], data)
    return recall(images @ texts.T, owner)["text_recall@10"]


@torch.inference_mode()
def unit_vectors(
    model: MeterForPretraining, features: Features, captions: Captions, data: TrainingData, batch: int = 100
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Unit vectors of images ``(images, width)`` and texts ``(texts, width)``, and the image of every text."""
    device = model.device
    rows = np.arange(len(features))
    parts = [rows[at : at + batch] for at in range(0, len(rows), batch)]
    images = [model.meter.image_vector(model.encode_image(features.take(part, 0 * part, device))) for part in parts]
    texts = [text for some in captions for text in some]
    owner = np.repeat(rows, [len(some) for some in captions])
    found = []
    for at in range(0, len(texts), batch):
        ids, mask = (part.to(device) for part in tokenize(data.tokenizer, texts[at : at + batch]))
        found.append(model.meter.text_vector(model.meter.encode_text(ids, mask), mask))
    return torch.cat(images).cpu(), torch.cat(found).cpu(), owner


def recall(scores: Tensor, owner: np.ndarray) -> dict[str, float]:
    """Recall at 10 in both directions from scores ``(images, texts)``; ``owner`` is the image of every text."""
    own = torch.from_numpy(owner)
    first_texts = scores.argsort(1, descending=True)[:, :_RANK]
    first_images = scores.argsort(0, descending=True)[:_RANK]
    text = (own[first_texts] == torch.arange(len(scores))[:, None]).any(1)
    image = (first_images == own).any(0)
    return {"text_recall@10": float(text.float().mean()), "image_recall@10": float(image.float().mean())}


def _fused(model: MeterForPretraining, data: TrainingData, texts: list[str], pictures: int) -> Tensor:
    """Logits of "match" minus logits of "no match", ``(pictures, texts)``."""
    device = model.device
    ids, mask = (part.to(device) for part in tokenize(data.tokenizer, texts))
    encoded = model.meter.encode_text(ids, mask)
    rows = []
    for picture in track(range(pictures), "pairs"):
        image = model.encode_image(data.heldout.take(np.array([picture]), np.array([0]), device))
        found = [
            model.match(encoded[at : at + _BATCH], mask[at : at + _BATCH], image.expand(len(part), -1, -1))
            for at in range(0, len(texts), _BATCH)
            for part in (encoded[at : at + _BATCH],)
        ]
        logits = torch.cat(found)
        rows.append(logits[:, 1] - logits[:, 0])
    return torch.stack(rows).cpu()


def _itm(model: MeterForPretraining, data: TrainingData) -> float:
    rng = np.random.default_rng(data.config.seed)
    captions = data.heldout_captions
    count = len(captions)
    others = (np.arange(count) + rng.integers(1, count, size=count)) % count
    right = 0
    for at in range(0, count, _BATCH):
        rows = np.arange(at, min(at + _BATCH, count))
        image = model.encode_image(data.heldout.take(rows, 0 * rows, model.device))
        for owners, true in ((rows, 1), (others[rows], 0)):
            ids, mask = tokenize(data.tokenizer, [captions[int(k)][0] for k in owners])
            ids, mask = ids.to(model.device), mask.to(model.device)
            logits = model.match(model.meter.encode_text(ids, mask), mask, image)
            right += int((logits.argmax(1) == true).sum())
    return right / (2 * count)


def _mlm(model: MeterForPretraining, data: TrainingData) -> float:
    right = total = 0
    share = data.config.mask_share
    for number in range(max(1, len(data.heldout_captions) // _BATCH)):
        seed = (data.config.seed + 1, number)
        batch = photo_batch(data.heldout_captions, 1, data.tokenizer, _BATCH, share, seed)
        _, mask, hidden, labels = batch.texts(model.device)
        if bool((labels != IGNORED).any()):
            image = model.encode_image(data.heldout.take(batch.pictures, batch.views, model.device))
            guesses, words = model.name_words(hidden, mask, image, labels)
            right, total = right + int((guesses.argmax(1) == words).sum()), total + len(words)
    return right / max(1, total)
