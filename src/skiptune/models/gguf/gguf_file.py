"""GGUF files: what kind of model is in them, and its weights by their names there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...core.errors import InputError, first_line
from ...core.extras import require_extra
from ..weight_files import refuse_pointer

_MAGIC = b"GGUF"


@dataclass(frozen=True)
class GgufFile:
    """A file that was opened; its weights are read when they are asked for.

    Attributes:
        path: of the file.
        architecture: llama.cpp's name of the kind of model.
        shapes: name of every tensor → its sizes, in torch's order.
        reader: the library's.
    """

    path: Path
    architecture: str
    shapes: Mapping[str, tuple[int, ...]]
    reader: Any

    def value(self, name: str, default: Any = None) -> Any:
        """A field of the file's description."""
        field = self.reader.get_field(name)
        return default if field is None else field.contents()

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor with its name, in float32, one after the other.

        Raises:
            InputError: one is of a kind of number that the library does not read.
        """
        from gguf import dequantize

        for stored in self.reader.tensors:
            try:
                values = dequantize(stored.data, stored.tensor_type)
            except Exception as error:  # of damaged blocks, or of a kind that is too new
                kind = getattr(stored.tensor_type, "name", stored.tensor_type)
                raise InputError(
                    f"{self.path}: {stored.name}: of the kind {kind}, which cannot be read ({first_line(error)}); "
                    "a newer version of gguf may (pip install --upgrade gguf)"
                ) from None
            yield stored.name, torch.from_numpy(values.copy()).float()


def is_gguf(path: Path) -> bool:
    """Whether a file begins as GGUF files do, whatever its name."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def open_gguf(path: Path) -> GgufFile:
    """Open a GGUF file with a whole model.

    Raises:
        InputError: the library is not installed, there is no such file, it is of another kind, truncated or damaged, or
            one of several parts.
    """
    require_extra("gguf", "gguf")
    from gguf import GGUFReader

    if not path.is_file():
        raise InputError(f"{path}: " + ("a directory; name the file inside it" if path.is_dir() else "no such file"))
    refuse_pointer(path)
    if not is_gguf(path):
        raise InputError(f"{path}: not a GGUF file; it does not begin as one")
    try:
        reader = GGUFReader(path)
        opened = GgufFile(
            path=path,
            architecture=str(reader.fields["general.architecture"].contents()),
            shapes={stored.name: tuple(int(size) for size in reversed(stored.shape)) for stored in reader.tensors},
            reader=reader,
        )
    except Exception as error:  # the library lets any error of a damaged file through
        raise InputError(
            f"{path}: a GGUF file that is truncated or damaged ({first_line(error)}); copy or download it again"
        ) from None
    if (parts := opened.value("split.count", 1)) > 1:
        raise InputError(f"{path}: one of {parts} parts of a model; join them first (llama-gguf-split --merge)")
    return opened
