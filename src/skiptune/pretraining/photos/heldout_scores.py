"""How good the photo model is on photos that it was not trained on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...core.progress import track
from ..scenes.vilt_for_pretraining import IGNORED
from .batches import photo_batch, tokenize
from .meter_for_pretraining import MeterForPretraining
from .training_data import Material, vectors

#: Photos whose pairs with all captions of theirs go through the fusion.
FUSED_PHOTOS = 100
_RANK, _BATCH = 10, 50


@torch.inference_mode()
def score(model: MeterForPretraining, material: Material) -> dict[str, float]:
    """Accuracies and recalls in [0, 1].

    ``itm_accuracy``: every held-out photo with its first caption, and with one of another photo. ``mlm_accuracy``: of
    masked pieces. ``text_recall@10``: a photo has one of its captions among the first ten; ``image_recall@10``: a
    caption its photo. Those of ``encoders`` are over all held-out photos and captions, by the two encoders alone;
    those of ``fusion`` over the first :data:`FUSED_PHOTOS`, by the head for matching.
    """
    model.eval()
    features, captions = material.heldout, material.heldout_captions
    images, texts, owner = vectors(model, features, captions, material)
    recalls = {f"encoders_{name}": value for name, value in recall(images @ texts.T, owner).items()}
    some = captions[:FUSED_PHOTOS]
    fused = _fused(model, material, [text for own in some for text in own], len(some))
    own = np.repeat(np.arange(len(some)), [len(each) for each in some])
    recalls |= {f"fusion_{name}": value for name, value in recall(fused, own).items()}
    return {"itm_accuracy": _itm(model, material), "mlm_accuracy": _mlm(model, material), **recalls}


def recall(scores: Tensor, owner: np.ndarray) -> dict[str, float]:
    """Recall at 10 each way of scores ``(pictures, texts)``; ``owner`` is the picture of every text."""
    own = torch.from_numpy(owner)
    first_texts = scores.argsort(1, descending=True)[:, :_RANK]
    first_images = scores.argsort(0, descending=True)[:_RANK]
    text = (own[first_texts] == torch.arange(len(scores))[:, None]).any(1)
    image = (first_images == own).any(0)
    return {"text_recall@10": float(text.float().mean()), "image_recall@10": float(image.float().mean())}


def _fused(model: MeterForPretraining, material: Material, texts: list[str], pictures: int) -> Tensor:
    """Logits of "match" less those of "no match", ``(pictures, texts)``."""
    device = model.device
    ids, mask = (part.to(device) for part in tokenize(material.tokenizer, texts))
    encoded = model.meter.encode_text(ids, mask)
    rows = []
    for picture in track(range(pictures), "pairs"):
        image = model.encode_image(material.heldout.take(np.array([picture]), np.array([0]), device))
        found = [
            model.match(encoded[at : at + _BATCH], mask[at : at + _BATCH], image.expand(len(part), -1, -1))
            for at in range(0, len(texts), _BATCH)
            for part in (encoded[at : at + _BATCH],)
        ]
        logits = torch.cat(found)
        rows.append(logits[:, 1] - logits[:, 0])
    return torch.stack(rows).cpu()


def _itm(model: MeterForPretraining, material: Material) -> float:
    rng = np.random.default_rng(material.config.seed)
    captions = material.heldout_captions
    count = len(captions)
    others = (np.arange(count) + rng.integers(1, count, size=count)) % count
    right = 0
    for at in range(0, count, _BATCH):
        rows = np.arange(at, min(at + _BATCH, count))
        image = model.encode_image(material.heldout.take(rows, 0 * rows, model.device))
        for owners, true in ((rows, 1), (others[rows], 0)):
            ids, mask = tokenize(material.tokenizer, [captions[int(k)][0] for k in owners])
            ids, mask = ids.to(model.device), mask.to(model.device)
            logits = model.match(model.meter.encode_text(ids, mask), mask, image)
            right += int((logits.argmax(1) == true).sum())
    return right / (2 * count)


def _mlm(model: MeterForPretraining, material: Material) -> float:
    right = total = 0
    share = material.config.mask_share
    for number in range(max(1, len(material.heldout_captions) // _BATCH)):
        seed = (material.config.seed + 1, number)
        batch = photo_batch(material.heldout_captions, 1, material.tokenizer, _BATCH, share, seed)
        _, mask, hidden, labels = batch.texts(model.device)
        if bool((labels != IGNORED).any()):
            image = model.encode_image(material.heldout.take(batch.pictures, batch.views, model.device))
            guesses, words = model.name_words(hidden, mask, image, labels)
            right, total = right + int((guesses.argmax(1) == words).sum()), total + len(words)
    return right / max(1, total)
