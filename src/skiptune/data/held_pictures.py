"""Pictures that a table of records only refers to: in memory, or in rows of a dataset, which are read when needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

#: What holds a picture.
Content: TypeAlias = Path | bytes | Image.Image


class PictureSource(ABC):
    """Something that holds pictures. Two are the same only if they are one object.

    Attributes:
        name: where the pictures are, for messages.
    """

    name = "in memory"

    @abstractmethod
    def content(self, column: str, row: int, inside: str = "") -> Content:
        """The picture of a row; ``inside`` as in :class:`~skiptune.data.pictures.Stored`.

        Raises:
            ValueError: there is none.
        """

    def byte_size(self, column: str, row: int, inside: str = "") -> int:
        """The number of bytes by which pictures are compared first; 0 where there is none."""
        try:
            return byte_size_of(self.content(column, row, inside))
        except (OSError, ValueError):
            return 0


class InMemory(PictureSource):
    """Pictures as they were given, each once. The column does not count."""

    def __init__(self) -> None:
        self._contents: list[Content] = []
        self._rows: dict[Any, int] = {}

    def add(self, content: Content) -> int:
        """The row of a picture. Bytes are known by what they are, others by which object they are."""
        row = self._rows.setdefault(content if isinstance(content, bytes) else id(content), len(self._contents))
        if row == len(self._contents):
            self._contents.append(content)
        return row

    def content(self, column: str, row: int, inside: str = "") -> Content:
        return self._contents[row]


@dataclass(frozen=True)
class Held:
    """A picture in row ``row`` of ``column`` of a source, ``inside`` its value; small, so that records stay small."""

    source: PictureSource
    column: str
    row: int
    inside: str = ""

    def __str__(self) -> str:
        return f"{self.source.name} ({self.column} {self.row}{self.inside and '/'}{self.inside})"

    def content(self) -> Content:
        """What holds the picture.

        Raises:
            ValueError: nothing does.
        """
        return self.source.content(self.column, self.row, self.inside)

    def byte_size(self) -> int:
        """The number of bytes by which pictures are compared first; 0 where there is none."""
        return self.source.byte_size(self.column, self.row, self.inside)

    def read(self) -> bytes:
        """The bytes that pictures are compared by: the encoded ones, or what a decoded picture consists of.

        Raises:
            OSError, ValueError: there are none.
        """
        content = self.content()
        if isinstance(content, Image.Image):
            return _bytes_of(content)
        return content if isinstance(content, bytes) else content.read_bytes()


def steps_of(inside: str) -> list[str | int]:
    """The names of fields and the places in lists that lead to a picture inside a value."""
    return [int(step) if step.isdigit() else step for step in inside.split("/") if step]


def byte_size_of(content: Content) -> int:
    """As :meth:`Held.byte_size`, without decoding."""
    if isinstance(content, Image.Image):
        return content.width * content.height * len(content.getbands())
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _bytes_of(image: Image.Image) -> bytes:
    """All that its look depends on, also how it is to be turned."""
    about = (image.mode, image.size, image.info.get("transparency"), image.getexif().get(0x0112))
    palette = image.getpalette() if image.mode in ("P", "PA") else None
    return repr((about, palette)).encode() + np.asarray(image).tobytes()
