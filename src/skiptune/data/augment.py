"""RandAugment (Cubuk et al., arXiv 1909.13719) with Pillow: ``n`` operations drawn at random, of strength ``m``.

Operations and ranges are those of the released ViLT and METER code, except for the two translations, which are relative
to the image as in the paper. It is applied to the resized image, so that each image is decoded and resized only once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from ..core.validation import Problems
from .pictures import Picture

if TYPE_CHECKING:
    from .record import Record

_STRONGEST = 30
_GREY = (128, 128, 128)
_TRANSLATE = 0.33
_SHEAR = 0.3
_DEGREES = 30.0

Operation = Callable[[Image.Image, float, float], Image.Image]


def _moved(image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix, fillcolor=_GREY)


def _solarize_add(image: Image.Image, amount: int) -> Image.Image:
    """Brighten the darker half of the values."""
    return image.point([min(255, value + amount) if value < 128 else value for value in range(256)] * 3)


#: By name: image, strength in [0, 1], sign −1 or 1 → image.
OPERATIONS: dict[str, Operation] = {
    "auto_contrast": lambda image, strength, sign: ImageOps.autocontrast(image),
    "equalize": lambda image, strength, sign: ImageOps.equalize(image),
    "rotate": lambda image, strength, sign: image.rotate(sign * _DEGREES * strength, fillcolor=_GREY),
    "posterize": lambda image, strength, sign: ImageOps.posterize(image, max(1, 8 - round(4 * strength))),
    "solarize": lambda image, strength, sign: ImageOps.solarize(image, 256 - round(256 * strength)),
    "solarize_add": lambda image, strength, sign: _solarize_add(image, round(110 * strength)),
    "color": lambda image, strength, sign: ImageEnhance.Color(image).enhance(1 + sign * 0.9 * strength),
    "contrast": lambda image, strength, sign: ImageEnhance.Contrast(image).enhance(1 + sign * 0.9 * strength),
    "brightness": lambda image, strength, sign: ImageEnhance.Brightness(image).enhance(1 + sign * 0.9 * strength),
    "sharpness": lambda image, strength, sign: ImageEnhance.Sharpness(image).enhance(1 + sign * 0.9 * strength),
    "shear_x": lambda image, strength, sign: _moved(image, (1, sign * _SHEAR * strength, 0, 0, 1, 0)),
    "shear_y": lambda image, strength, sign: _moved(image, (1, 0, 0, sign * _SHEAR * strength, 1, 0)),
    "translate_x": lambda image, strength, sign: _moved(
        image, (1, 0, sign * _TRANSLATE * strength * image.width, 0, 1, 0)
    ),
    "translate_y": lambda image, strength, sign: _moved(
        image, (1, 0, 0, 0, 1, sign * _TRANSLATE * strength * image.height)
    ),
}


@dataclass(frozen=True)
class RandAugment:
    """``n`` operations of strength ``m`` in [0, 30], drawn from generators that start at ``seed``."""

    n: int = 2
    m: float = 9
    seed: int = 0

    def __post_init__(self) -> None:
        problems = Problems("RandAugment")
        problems.check(isinstance(self.n, int) and self.n >= 1, f"n: {self.n!r} is not a whole number ≥ 1")
        problems.check(0 <= self.m <= _STRONGEST, f"m: {self.m!r} is not between 0 and {_STRONGEST}")
        problems.raise_any()

    @classmethod
    def of(cls, settings: Mapping[str, float], seed: int) -> RandAugment:
        """The policy of :attr:`TrainConfig.augment`."""
        return cls(int(settings.get("n", cls.n)), settings.get("m", cls.m), seed)

    def __call__(self, image: Image.Image, draw: tuple[int, ...]) -> Image.Image:
        """The image changed as the ``draw`` (epoch, position, …) says: the same draw, the same change."""
        rng = np.random.default_rng((self.seed, *draw))
        names = list(OPERATIONS)
        for number in rng.integers(len(names), size=self.n):
            sign = 1.0 if rng.integers(2) else -1.0
            image = OPERATIONS[names[number]](image, self.m / _STRONGEST, sign)
        return image


@dataclass(frozen=True)
class Varied:
    """A picture that is changed when its pixels are read."""

    picture: Picture
    policy: RandAugment
    draw: tuple[int, ...]


def unvaried(picture: Picture | Varied) -> Picture:
    """The picture itself, which may come with changes to be made when it is read."""
    return picture.picture if isinstance(picture, Varied) else picture


def vary(record: Record, policy: RandAugment, epoch: int, position: int) -> Record:
    """The record with images that ``policy`` changes when they are read, by the draw for this place in training."""

    def varied(picture: Picture | None, number: int) -> Any:
        return picture and Varied(picture, policy, (epoch, position, number))

    further = tuple(varied(picture, number) for number, picture in enumerate(record.further, start=2))
    return replace(record, image=varied(record.image, 0), image2=varied(record.image2, 1), further=further)
