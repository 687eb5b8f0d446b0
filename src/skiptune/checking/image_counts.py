"""How many images are in a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ..data.pictures import Picture
from ..data.record import Record
from ..data.turns import Turn
from ..tasks.generation.task import Generation


class ImageCounts:
    """Compares the image tokens and pixels of rows with those of their images alone.

    Args:
        task: whose inputs are counted; nothing is cut.
    """

    def __init__(self, task: Generation) -> None:
        self.task = task
        self.token: int | None = getattr(task.processor.whole, "image_token_id", None)
        self._alone: dict[Sequence[object], tuple[int, int]] = {}

    def expected(self, pictures: Sequence[Picture], sizes: Sequence[object]) -> tuple[int, int]:
        """Image tokens and pixel units of ``pictures`` before a short text, kept for images of the same ``sizes``."""
        key = tuple(sizes)
        if key not in self._alone:
            asked = Turn("user", (*[None] * len(pictures), "?"))
            first, *further = pictures
            row = Record(first, turns=(asked, Turn("assistant", ("yes",))), further=tuple(further))
            try:
                batch = self.task.collate([row])
                self._alone[key] = self.tokens(batch["input_ids"]), units(batch)
            except Exception:  # the row itself will be refused, with the reason
                self._alone[key] = 0, 0
        return self._alone[key]

    def tokens(self, ids: Tensor) -> int:
        """Those that stand for images."""
        return 0 if self.token is None else int((ids == self.token).sum())


def units(batch: Mapping[str, Any]) -> int:
    """What of a batch's pixels adds up over images: images, patches or tiles, as the family has them."""
    pixels, mask = batch.get("pixel_values"), batch.get("pixel_attention_mask")
    if not isinstance(pixels, Tensor):
        return 0
    if (
        isinstance(mask, Tensor) and pixels.dim() == 5
    ):  # (rows, tiles, 3, height, width), rows filled up with empty tiles
        return int(mask.flatten(2).any(-1).sum())
    return int(pixels.shape[0])
