"""Decode and resize each image once, as the family's processor does it, and keep the bytes within a memory limit."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

from ..core.errors import InputError, first_line
from .augment import Varied
from .damaged import Damaged
from .held_pictures import Held
from .pictures import FileVersion, Picture, Placed, Stored, decode, file_version, name_of, size_of
from .proportions import in_proportion
from .record import Record

if TYPE_CHECKING:
    from typing_extensions import Self

_MEMORY_LIMIT = 2 * 2**30
_REPLACEMENT_SIDE = 384
#: Widths and heights by which it is told whether proportions are kept.
_PROPORTIONS = ((64, 64), (192, 64))
#: The attribute of an image processor, saved with it, that is false where images are not turned as EXIF says.
EXIF_SWITCH = "exif_orientation"
#: What tells pixels from earlier ones of the same name: the file's version, and whether EXIF was obeyed.
_Version: TypeAlias = tuple[FileVersion | None, bool]


class _Kept:
    """Pixels by picture, each of the version that was decoded."""

    def __init__(self) -> None:
        self.pixels: dict[Placed, tuple[_Version, np.ndarray]] = {}
        self.heights: dict[Placed, float] = {}
        self._used = 0
        self._lock = Lock()  # several threads prepare what a model is asked

    def __reduce__(self) -> tuple[Any, ...]:
        return _Kept, ()  # another process begins with none

    def find(self, picture: Placed, version: _Version) -> np.ndarray | None:
        """The pixels, unless the picture is another one by now."""
        known, pixels = self.pixels.get(picture, (None, None))
        return pixels if known == version else None

    def add(self, picture: Placed, version: _Version, pixels: np.ndarray, limit: int) -> None:
        """Keep the pixels in place of those of an earlier version, if there is room within ``limit`` bytes."""
        with self._lock:
            earlier = self.pixels.pop(picture, None)
            if earlier is not None:
                self._used -= earlier[1].nbytes
            if self._used + pixels.nbytes <= limit:
                self.pixels[picture] = version, pixels
                self._used += pixels.nbytes


class ImageStore:
    """Pixels by picture: resized uint8 arrays ``(3, height, width)``, kept until ``memory_limit`` bytes are used.

    In a DataLoader's workers each process has its own store, with its share of the limit. A file that changes is read
    again.

    Args:
        image_processor: the model's. Where its ``exif_orientation`` is false, images are not turned as EXIF says.
        memory_limit: bytes to keep.
        damaged: what to do about images that cannot be read; without it they raise.
    """

    def __init__(self, image_processor: Any, memory_limit: int = _MEMORY_LIMIT, damaged: Damaged | None = None) -> None:
        self.image_processor = image_processor
        self.memory_limit = memory_limit
        self.damaged = damaged
        self._kept = _Kept()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": _Kept()}

    def reporting(self, damaged: Damaged | None) -> ImageStore:
        """A store with the same pixels that reports damaged images to ``damaged``; with ``None`` they raise."""
        other = ImageStore(self.image_processor, self.memory_limit, damaged)
        other._kept = self._kept
        return other

    def holding(self, pixels: Mapping[Placed, np.ndarray]) -> ImageStore:
        """A store that has these pixels, of :meth:`pixels`, and not those of this one."""
        other = copy.copy(self)
        other._kept = _Kept()
        other._kept.pixels.update({picture: (self._version(picture), found) for picture, found in pixels.items()})
        return other

    def keeping(self, memory_limit: int) -> Self:
        """A store without pixels that keeps at most ``memory_limit`` bytes of them."""
        other = copy.copy(self)  # without what is kept
        other.memory_limit = memory_limit
        return other

    def extent(self, pictures: Sequence[Picture]) -> float:
        """How high the first picture is for its width; 0 where all are resized to one size, or it cannot be read."""
        if not pictures or self._one_size:
            return 0.0
        picture, known = pictures[0], self._kept.heights
        key = picture if isinstance(picture, Path | Stored | Held) else None
        if key is not None and key in known:
            return known[key]
        try:
            width, height = size_of(picture, upright=False)  # looking for EXIF would decode a PNG
        except InputError:
            width, height = 1, 0
        found = round(height / width, 1)
        if key is not None:
            known[key] = found
        return found

    @cached_property
    def _one_size(self) -> bool:
        """Whether the processor resizes pictures of any proportions to one size."""
        return len({self._resized(Image.new("RGB", size), b"").shape for size in _PROPORTIONS}) == 1

    def pixels(self, picture: Picture | Varied, place: str = "") -> np.ndarray:
        """The resized image. Files and images of tables are cached; single images in memory and varied ones are not.

        Args:
            picture: the image.
            place: of its record, for messages.

        Raises:
            InputError: the file is missing or not an image; the message names it. With ``damaged`` set, only when too
                many are; a grey image stands in for the others.
        """
        if isinstance(picture, Varied):
            image = Image.fromarray(self.pixels(picture.picture, place).transpose(1, 2, 0))
            return np.array(picture.policy(image, picture.draw)).transpose(2, 0, 1)  # a copy: Pillow's is read-only
        key, version = picture if isinstance(picture, Path | Stored | Held) else None, self._version(picture)
        pixels = None if key is None else self._kept.find(key, version)
        if pixels is not None:
            return pixels
        try:
            pixels = self._resized(decode(picture, version[1]), picture)
        except InputError as error:
            return self._replacement(picture, error, place)
        if key is not None:
            worker = get_worker_info()
            self._kept.add(key, version, pixels, self.memory_limit // (worker.num_workers if worker else 1))
        return pixels

    def of(self, records: Sequence[Record], number: int = 1) -> dict[str, Tensor]:
        """:meth:`batch` of the first ``number`` images of all records, those of a record behind each other."""
        found = ((picture, record.place) for record in records for picture in record.images[:number])
        return self._batch([self.pixels(picture, place) for picture, place in found])

    def batch(self, pictures: Sequence[Picture | Varied]) -> dict[str, Tensor]:
        """``pixel_values`` (batch, 3, height, width) and, if sizes differ, ``pixel_mask`` (batch, height, width)."""
        return self._batch([self.pixels(picture) for picture in pictures])

    def _batch(self, arrays: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Scaled and padded, see :meth:`batch`."""
        height, width = (max(array.shape[axis] for array in arrays) for axis in (1, 2))
        mean, std = (
            torch.tensor(getattr(self.image_processor, name), dtype=torch.float32)[:, None, None]
            for name in ("image_mean", "image_std")
        )
        if all(array.shape[1:] == (height, width) for array in arrays):
            whole = torch.from_numpy(np.stack(arrays)) * float(self.image_processor.rescale_factor)
            return {"pixel_values": (whole - mean) / std}
        values = torch.zeros(len(arrays), 3, height, width)
        mask = torch.zeros(len(arrays), height, width, dtype=torch.long)
        for number, array in enumerate(arrays):
            _, rows, columns = array.shape
            scaled = torch.from_numpy(array) * float(self.image_processor.rescale_factor)
            values[number, :, :rows, :columns] = (scaled - mean) / std
            mask[number, :rows, :columns] = 1
        return {"pixel_values": values, "pixel_mask": mask}

    def _version(self, picture: Picture) -> _Version:
        upright = bool(getattr(self.image_processor, EXIF_SWITCH, True))
        try:
            file = Path(picture.table) if isinstance(picture, Stored) else picture
            return (file_version(file) if isinstance(file, Path) else None), upright
        except OSError:  # reading it says what is wrong
            return None, upright

    def _replacement(self, picture: Picture, error: InputError, place: str) -> np.ndarray:
        """An image of the mean colour for one that cannot be read, which is reported. It is not kept, so that the next
        evaluation reports it again."""
        if self.damaged is None:
            raise InputError(f"{place}: {error}" if place else str(error)) from None
        self.damaged.add(str(error), place)
        return self._stand_in(picture)

    def _stand_in(self, picture: Picture) -> np.ndarray:
        """An image of the mean colour."""
        mean = tuple(round(255 * value) for value in self.image_processor.image_mean)
        return self._resized(Image.new("RGB", (_REPLACEMENT_SIDE, _REPLACEMENT_SIDE), mean), b"")

    def _resized(self, image: Image.Image, picture: Picture) -> np.ndarray:
        try:
            shown = in_proportion(image, self.image_processor)
            processed = self.image_processor(shown, do_rescale=False, do_normalize=False, do_pad=False)
            pixels = np.asarray(processed["pixel_values"][0])
        except Exception as error:  # image processors raise many kinds of exceptions
            size = f"{image.width} × {image.height} pixels"
            raise InputError(
                f"image {name_of(picture)}: {size} cannot be resized for the model ({first_line(error)})"
            ) from None
        return pixels.round().clip(0, 255).astype(np.uint8)
