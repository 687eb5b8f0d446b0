"""Cached outputs of the frozen convolutional trunk: computed once for a few views of every image, kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

from ...core.files import write_atomically
from ...core.number_types import fast_autocast
from ...core.progress import track
from ...families.meter.stem import MAPS, STRIDE, Maps, Trunk

#: EfficientNet-Lite0's normalisation of pixels in [0, 1].
MEAN, SPREAD = 127 / 255, 128 / 255
_BATCH = 32


class Features:
    """Feature maps in one array ``(images, views, numbers)``, float16, memory-mapped."""

    def __init__(self, path: Path, side: int) -> None:
        self.values = np.load(path, mmap_mode="r")
        self.sides = [side // STRIDE * factor for _, factor in MAPS]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def views(self) -> int:
        """Cached views of every image; the first is the image as it is."""
        return int(self.values.shape[1])

    def take(self, pictures: np.ndarray, views: np.ndarray, device: torch.device) -> Maps:
        """The three maps ``(rows, channels, side, side)`` of the given views of the given images."""
        rows = torch.from_numpy(self.values[pictures, views]).to(device).float()
        sizes = [channels * side**2 for (channels, _), side in zip(MAPS, self.sides, strict=True)]
        parts = torch.split(rows, sizes, dim=1)
        fine, middle, coarse = (
            part.view(len(rows), channels, side, side)
            for part, (channels, _), side in zip(parts, MAPS, self.sides, strict=True)
        )
        return fine, middle, coarse


@torch.inference_mode()
def compute(
    path: Path, count: int, picture: Callable[[int], Image.Image], trunk: Trunk, side: int, views: int, seed: int
) -> Features:
    """The features of ``count`` images: read from ``path`` if it is there, else computed and written to it."""
    if not path.is_file():
        device = next(trunk.parameters()).device
        numbers = sum(channels * (side // STRIDE * factor) ** 2 for channels, factor in MAPS)

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                header = {"descr": "<f2", "fortran_order": False, "shape": (count, views, numbers)}
                np.lib.format.write_array_header_1_0(file, header)
                for start in track(range(0, count, _BATCH), path.stem):
                    places = range(start, min(start + _BATCH, count))
                    batch = [view(picture(k), number, side, (seed, k)) for k in places for number in range(views)]
                    for rows in (batch[k : k + _BATCH] for k in range(0, len(batch), _BATCH)):
                        pixels = normalized(np.stack(rows)).to(device)
                        with fast_autocast(device):
                            maps = trunk(pixels)
                        flat = torch.cat([part.flatten(1).float() for part in maps], dim=1)
                        file.write(flat.to(torch.float16).cpu().numpy().tobytes())

        write_atomically(path, write)
    return Features(path, side)


def normalized(pixels: np.ndarray) -> torch.Tensor:
    """``(images, side, side, 3)`` in 0…255 to ``(images, 3, side, side)`` as the trunk takes them."""
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - MEAN) / SPREAD


def view(image: Image.Image, number: int, side: int, seed: Sequence[int]) -> np.ndarray:
    """View ``number`` of an image, ``(side, side, 3)``: 0 as it is, 1 mirrored, others random crops and colours."""
    if number >= 2:
        rng = np.random.default_rng((*seed, number))
        width, height = image.size
        share = np.sqrt(rng.uniform(0.5, 1.0))
        stretch = np.exp(rng.uniform(-0.15, 0.15))
        w, h = min(1.0, share * stretch) * width, min(1.0, share / stretch) * height
        x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
        image = image.resize((side, side), Image.Resampling.BICUBIC, (x, y, x + w, y + h))
        for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = change(image).enhance(float(rng.uniform(0.75, 1.25)))
        number = int(rng.integers(2))
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    return np.array(ImageOps.mirror(image) if number == 1 else image)
