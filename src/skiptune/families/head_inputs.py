"""Inputs of heads: pair texts with images, refuse padding."""

from __future__ import annotations

from typing import TypeAlias

from torch import Tensor

from ..core.errors import InputError

#: Encoded texts, or encoded images: each tensor has one row per text or image.
Encoded: TypeAlias = tuple[Tensor, ...]


def flat_texts(input_ids: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Several texts per image, ``(batch, texts, tokens)``, as ``(batch · texts, tokens)``; one text stays as it is."""
    return input_ids.flatten(0, -2), None if attention_mask is None else attention_mask.flatten(0, -2)


def pair_up(input_ids: Tensor, images: Tensor | None) -> tuple[Tensor, int]:
    """The images, and the number of texts per image.

    Raises:
        InputError: no images, or the number of texts is not a multiple of that of the images.
    """
    texts, count = input_ids.shape[0], 0 if images is None else images.shape[0]  # len() is a constant in an export
    if images is None or not count or texts % count:
        raise InputError(f"pixel_values: {count} images for {texts} texts; there must be as many, or a fraction")
    return images, texts // count


def for_each_text(images: Tensor, share: int) -> Tensor:
    """Repeat every row ``share`` times: ``(images, …)`` to ``(images · share, …)``.

    The same as ``repeat_interleave``, which cannot be exported for a number that is only known at run time.
    """
    return images.unsqueeze(1).expand(-1, share, *images.shape[1:]).flatten(0, 1)


def refuse_padding(pixel_mask: Tensor | None) -> None:
    """Refuse images of different size, padded to one.

    Raises:
        InputError: the mask ``(batch, height, width)`` is not all ones.
    """
    if pixel_mask is not None and not bool(pixel_mask.all()):
        raise InputError(
            "pixel_mask: some images are padded, and this model takes padding for part of the picture; let the image "
            "processor bring all images to one size (BridgeTower's: do_center_crop=True)"
        )
