"""The data of ``meter-photos``: cached features of photos and scenes, captions, and batches of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from transformers import BertTokenizer

from ...core.errors import InputError
from ...data.pictures import decode
from ...data.readers.jsonl import read_jsonl
from ...data.records import Records
from ...families.meter.stem import Trunk
from ..scenes.scene import draw
from .batches import Batch, photo_batch, scene_batch, scene_of
from .photo_config import PhotoConfig
from .trunk_features import Features, compute

Captions = Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class TrainingData:
    """Features and captions.

    Attributes:
        photos, captions: features and captions of the training photos.
        scenes: features of generated scenes, or ``None`` without scenes.
        heldout, heldout_captions: features and captions of photos that are not trained on.
    """

    config: PhotoConfig
    tokenizer: BertTokenizer
    photos: Features
    captions: Captions
    scenes: Features | None
    heldout: Features
    heldout_captions: Captions

    def photo_batch(self, size: int, seed: Sequence[int]) -> Batch:
        """``size`` different photos, each with one of its captions."""
        share = self.config.mask_share
        return photo_batch(self.captions, self.photos.views, self.tokenizer, size, share, seed)

    def scene_batch(self, size: int, seed: Sequence[int]) -> Batch:
        """``size`` scenes, each with one statement."""
        return scene_batch(self.config.seed, self.config.scenes, self.tokenizer, size, seed)


def read_captions(photos: Path, images: Path) -> Records:
    """Read a JSON-lines file of images with captions.

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
) -> TrainingData:
    """Compute the features of all photos and scenes into ``folder``; files that are there already are read."""

    def features(name: str, records: Records, views: int) -> Features:
        def picture(row: int) -> Image.Image:
            return decode(records[row].picture)

        return compute(folder / f"{name}.npy", len(records), picture, trunk, config.image_size, views, config.seed)

    def scene(number: int) -> Image.Image:
        return draw(scene_of(config.seed, number))

    scenes = None
    if config.scenes:
        path = folder / "scenes.npy"
        scenes = compute(path, config.scenes, scene, trunk, config.image_size, 1, config.seed)
    return TrainingData(
        config,
        tokenizer,
        features("photos", photos, config.views),
        [record.captions for record in photos],
        scenes,
        features("heldout", heldout, 1),
        [record.captions for record in heldout],
    )
