"""What the photo model is trained on and measured on: features of pictures, captions, and batches of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import BertTokenizer

from ...core.errors import InputError
from ...data.pictures import decode
from ...data.readers.jsonl import read_jsonl
from ...data.records import Records
from ...families.meter.stem import Trunk
from ..scenes.scene import draw
from .batches import Batch, photo_batch, scene_batch, scene_of, tokenize
from .meter_for_pretraining import MeterForPretraining
from .photo_config import PhotoConfig
from .trunk_features import Features, compute

Captions = Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Material:
    """Features and captions.

    Attributes:
        photos, captions: of the training photos.
        scenes: generated ones, or ``None``.
        heldout, heldout_captions: of photos that training never sees.
    """

    config: PhotoConfig
    tokenizer: BertTokenizer
    photos: Features
    captions: Captions
    scenes: Features | None
    heldout: Features
    heldout_captions: Captions

    def photo_batch(self, size: int, seed: Sequence[int]) -> Batch:
        """Different photos with a caption each."""
        share = self.config.mask_share
        return photo_batch(self.captions, self.photos.views, self.tokenizer, size, share, seed)

    def scene_batch(self, size: int, seed: Sequence[int]) -> Batch:
        """Scenes with a statement each."""
        return scene_batch(self.config.seed, self.config.scenes, self.tokenizer, size, seed)

    @torch.inference_mode()
    def glance(self, model: MeterForPretraining) -> dict[str, float]:
        """A quick look: recall at 10 by the encoders alone, over held-out photos and their first captions."""
        model.eval()
        images, texts, _ = vectors(model, self.heldout, [captions[:1] for captions in self.heldout_captions], self)
        ranks = (images @ texts.T).argsort(1, descending=True)[:, :10]
        found = (ranks == torch.arange(len(images))[:, None]).any(1).float().mean()
        return {"heldout recall@10": float(found)}


def read_captions(photos: Path, images: Path) -> Records:
    """A JSON-lines file of images with captions.

    Raises:
        InputError: a file that cannot be read, or images without captions.
    """
    records = read_jsonl(photos, images, require_answers=False)
    without = sum(not record.captions for record in records)
    if without:
        raise InputError(f"{photos}: {without} of {len(records)} rows have no captions")
    return records


def prepare(
    config: PhotoConfig, tokenizer: BertTokenizer, trunk: Trunk, photos: Records, heldout: Records, folder: Path
) -> Material:
    """Compute the features of all pictures into ``folder``, or find them there."""

    def features(name: str, records: Records, views: int) -> Features:
        def picture(row: int) -> Image.Image:
            return decode(records[row].image)

        return compute(folder / f"{name}.npy", len(records), picture, trunk, config.image_size, views, config.seed)

    def scene(number: int) -> Image.Image:
        return draw(scene_of(config.seed, number))

    scenes = None
    if config.scenes:
        path = folder / "scenes.npy"
        scenes = compute(path, config.scenes, scene, trunk, config.image_size, 1, config.seed)
    return Material(
        config,
        tokenizer,
        features("photos", photos, config.views),
        [record.captions for record in photos],
        scenes,
        features("heldout", heldout, 1),
        [record.captions for record in heldout],
    )


@torch.inference_mode()
def vectors(
    model: MeterForPretraining, features: Features, captions: Captions, material: Material, batch: int = 100
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Unit vectors of pictures ``(pictures, width)`` and texts ``(texts, width)``, and the picture of every text."""
    device = model.device
    rows = np.arange(len(features))
    parts = [rows[at : at + batch] for at in range(0, len(rows), batch)]
    images = [model.meter.image_vector(model.encode_image(features.take(part, 0 * part, device))) for part in parts]
    texts = [text for some in captions for text in some]
    owner = np.repeat(rows, [len(some) for some in captions])
    found = []
    for at in range(0, len(texts), batch):
        ids, mask = (part.to(device) for part in tokenize(material.tokenizer, texts[at : at + batch]))
        found.append(model.meter.text_vector(model.meter.encode_text(ids, mask), mask))
    return torch.cat(images).cpu(), torch.cat(found).cpu(), owner
