"""Where an image is: in a file, as bytes inside an Arrow table, in a row of a dataset, or in memory."""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from PIL import Image

from ..core.errors import InputError, first_line
from .eight_bits import to_rgb
from .held_pictures import Held, steps_of
from .picture_files import open_picture, refuse_large


@dataclass(frozen=True)
class Stored:
    """An encoded image in row ``row`` of ``column`` of an Arrow file; small, so that records stay small.

    ``inside`` says where in the value of the row: names of fields and places in lists, with ``/`` between them.
    """

    table: str
    column: str
    row: int
    inside: str = ""

    def __str__(self) -> str:
        return f"{self.table}:{self.column}[{self.row}]{self.inside and '/'}{self.inside}"

    def read(self) -> bytes:
        """The encoded bytes.

        Raises:
            InputError: the file is gone, or holds no image there.
        """
        value = self._value().as_py()
        if isinstance(value, dict):  # Hugging Face's struct of bytes and path
            value = value.get("bytes")
        if not isinstance(value, bytes):
            raise InputError(f"image {self}: no bytes there")
        return value

    def size(self) -> int:
        """Number of encoded bytes, without reading them; 0 where there are none."""
        import pyarrow as pa

        value = self._value()
        if isinstance(value, pa.StructScalar):
            value = value.get("bytes")
        is_text = isinstance(value, pa.StringScalar | pa.LargeStringScalar | pa.StringViewScalar)
        return len(value.as_buffer()) if isinstance(value, pa.BinaryScalar) and value.is_valid and not is_text else 0

    def _value(self) -> Any:
        value = open_table(self.table).column(self.column)[self.row]
        for step in steps_of(self.inside):
            value = value[step]
        return value


#: A picture that a table of records refers to; it is known by its name or place.
Placed: TypeAlias = Path | Stored | Held
#: The image of a record. Bytes and Pillow images by themselves are decoded at every use and not cached.
Picture: TypeAlias = Placed | bytes | Image.Image
#: EXIF's tag that tells how an image is turned, and the least value of those that exchange width and height.
_ORIENTATION, _LYING = 0x0112, 5
#: Inode, size, and times of the last changes of content and of attributes.
FileVersion: TypeAlias = tuple[int, int, int, int]


def open_table(path: str) -> Any:
    """An Arrow file (or stream, as Hugging Face writes it) as a table, memory-mapped, opened once per process and again
    when the file has changed.

    Raises:
        InputError: no such file, or it is not Arrow or is cut off.
    """
    import pyarrow as pa

    try:
        return _open_table(path, file_version(Path(path)))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not an Arrow file, or cut off ({error})") from None


@lru_cache(maxsize=16)
def _open_table(path: str, version: FileVersion) -> Any:
    import pyarrow as pa

    with pa.memory_map(path) as source:
        whole = source.size() >= 6 and source.read(6) == b"ARROW1"
    source = pa.memory_map(path)
    return (pa.ipc.open_file if whole else pa.ipc.open_stream)(source).read_all()


def file_version(path: Path) -> FileVersion:
    """What tells a file from the one that had its name before.

    Raises:
        OSError: it cannot be accessed.
    """
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def decode(picture: Picture, upright: bool = True) -> Image.Image:
    """The picture as RGB of 8 bits, its transparent parts on white, see :func:`~skiptune.data.eight_bits.to_rgb`.

    Args:
        picture: a file, stored, encoded bytes, or in memory. Of several frames the first counts.
        upright: turn it as its EXIF orientation says.

    Raises:
        InputError: missing, no picture, not of a known format, damaged, or with more than
            :data:`~skiptune.data.picture_files.MOST_PIXELS`; the message names it.
    """
    if not isinstance(picture, Path | Stored | Held | bytes | Image.Image):
        raise InputError(f"image: {type(picture).__name__}; expected a path, encoded bytes or a Pillow image")
    with _named_problems(picture), _opened(picture) as image:
        refuse_large(image.size)
        return to_rgb(image, upright)


def size_of(picture: Picture, upright: bool = True) -> tuple[int, int]:
    """Width and height in pixels, without decoding it.

    Raises:
        InputError: as :func:`decode`, as far as the header tells.
    """
    with _named_problems(picture), _opened(picture) as image:
        lies = upright and image.getexif().get(_ORIENTATION, 1) >= _LYING
        return (image.height, image.width) if lies else image.size


@contextmanager
def _opened(picture: Picture) -> Iterator[Image.Image]:
    """Context with a picture whose pixels are not decoded yet, unless it is held decoded.

    Raises:
        InputError: a table does not hold it.
        Exception: as :func:`~skiptune.data.picture_files.open_picture`.
    """
    content = picture.content() if isinstance(picture, Held) else picture
    if isinstance(content, Image.Image):
        yield content
        return
    with open_picture(content.read() if isinstance(content, Stored) else content) as image:
        yield image


@contextmanager
def _named_problems(picture: Picture) -> Iterator[None]:
    """Context in which all that goes wrong is told of ``picture``."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"image {name_of(picture)}: no such file") from None
    except Exception as error:  # Pillow's decoders raise many kinds of exceptions
        raise InputError(f"image {name_of(picture)}: cannot be read ({first_line(error)})") from None


def name_of(picture: Picture) -> str:
    """What messages call a picture."""
    return str(picture) if isinstance(picture, Path | Stored | Held) else "in memory"


def image_problem(picture: Path | bytes | Image.Image, open_it: bool = True) -> str:
    """The problem of an image file, or of an image in memory, or an empty string.

    Checking that the file exists and is not empty takes 2 µs; opening it (Pillow reads and verifies the header) 30 µs
    and more. Pixels are not decoded, so later damage shows only when the image is used.
    """
    name = name_of(picture)
    try:
        if isinstance(picture, Image.Image):
            refuse_large(picture.size)
            return ""
        if isinstance(picture, Path):
            status = picture.stat()
            if not stat.S_ISREG(status.st_mode):
                return f"image {name}: not a file"
            if not status.st_size:
                return f"image {name}: empty file"
        if open_it:
            with open_picture(picture) as image:
                image.verify()
    except FileNotFoundError:
        return f"image {name}: no such file"
    except Exception as error:  # Pillow's decoders raise many kinds of exceptions
        return f"image {name}: cannot be read ({first_line(error)})"
    return ""


def byte_size(picture: Placed) -> int:
    """Number of encoded bytes; of a decoded picture, of bytes of its pixels; 0 for what cannot be accessed."""
    if isinstance(picture, Held):
        return picture.byte_size()
    if isinstance(picture, Stored):
        return picture.size()
    try:
        return picture.stat().st_size
    except OSError:
        return 0


def digest(picture: Placed, last: int | None = None) -> str:
    """Digest of the encoded bytes, or of the ``last`` bytes only. A picture that is not there has a digest that equals
    no other."""
    if last is None:
        return _digest(picture, lambda file: file.read())
    return _digest(picture, lambda file: _read_at(file, max(0, byte_size(picture) - last), last))


def sampled_digest(picture: Placed, block: int = 4096, blocks: int = 4) -> str:
    """As :func:`digest`, of ``blocks`` blocks of ``block`` bytes, spread evenly from the first byte to the last."""
    size = byte_size(picture)
    starts = sorted({max(0, size - block) * number // (blocks - 1) for number in range(blocks)})
    return _digest(picture, lambda file: b"".join(_read_at(file, start, block) for start in starts))


def _digest(picture: Placed, read: Callable[[BinaryIO], bytes]) -> str:
    try:
        with picture.open("rb") if isinstance(picture, Path) else io.BytesIO(picture.read()) as file:
            content = read(file)
    except (OSError, ValueError, InputError):  # gone, or a row without an image
        content = str(picture).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _read_at(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)
