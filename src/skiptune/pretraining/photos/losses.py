"""The losses of a training step of ``meter-photos``: image-text contrast, image-text matching, masked words."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from .batches import Batch
from .meter_for_pretraining import MeterForPretraining
from .trunk_features import Features

#: Factor of the similarities from which false pairs are sampled: 0 samples uniformly, 1 mostly the hardest pairs.
_HARDNESS = 0.5


def contrast_losses(model: MeterForPretraining, batch: Batch, photos: Features) -> dict[str, Tensor]:
    """The contrast of the two encoders alone."""
    ids, mask, _, _ = batch.texts(model.device)
    image = model.encode_image(photos.take(batch.pictures, batch.views, model.device))
    text = model.meter.encode_text(ids, mask)
    return {"contrast": model.contrast(model.similarity(text, mask, image))}


def photo_losses(model: MeterForPretraining, batch: Batch, photos: Features, fused: int) -> dict[str, Tensor]:
    """All three losses on photos; false pairs are sampled from those that the encoders find similar.

    The contrast uses all rows. Matching uses the first ``fused`` rows, each also as a false pair: one half with another
    text, the other half with another image. The last ``fused`` rows have masked words.
    """
    ids, mask, hidden, labels = batch.texts(model.device)
    image = model.encode_image(photos.take(batch.pictures, batch.views, model.device))
    text = model.meter.encode_text(ids, mask)
    similarity = model.similarity(text, mask, image)
    fused = min(fused, len(ids))
    half = fused // 2
    with torch.no_grad():
        own = torch.eye(len(ids), dtype=torch.bool, device=model.device)
        likely = (_HARDNESS * similarity.detach()).masked_fill(own, -torch.inf)
        other_text = torch.multinomial(likely[:half].softmax(1), 1)[:, 0]
        other_image = torch.multinomial(likely.T[half:fused].softmax(1), 1)[:, 0]
    rows = torch.arange(fused, device=model.device)
    texts = torch.cat((rows, other_text, rows[half:]))
    images = torch.cat((rows, rows[:half], other_image))
    logits = model.match(text[texts], mask[texts], image[images])
    matches = torch.cat((torch.ones_like(rows), torch.zeros_like(rows)))
    return {
        "contrast": model.contrast(similarity),
        "matching": cross_entropy(logits, matches),
        "words": _words(model, hidden[-fused:], mask[-fused:], image[-fused:], labels[-fused:]),
    }


def scene_losses(model: MeterForPretraining, batch: Batch, scenes: Features) -> dict[str, Tensor]:
    """Matching of scenes with true or false statements, and masked words of the true ones."""
    ids, mask, hidden, labels = batch.texts(model.device)
    image = model.encode_image(scenes.take(batch.pictures, batch.views, model.device))
    true = batch.matches.to(model.device)
    logits = model.match(model.meter.encode_text(ids, mask), mask, image)
    losses, rows = {"scene matching": cross_entropy(logits, true)}, true.bool()
    if bool(rows.any()):
        losses["scene words"] = _words(model, hidden[rows], mask[rows], image[rows], labels[rows])
    return losses


def _words(model: MeterForPretraining, hidden: Tensor, mask: Tensor, image: Tensor, labels: Tensor) -> Tensor:
    guesses, right = model.name_words(hidden, mask, image, labels)
    return cross_entropy(guesses, right) if len(right) else guesses.sum()
