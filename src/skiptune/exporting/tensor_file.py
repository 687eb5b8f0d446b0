"""Tensors in a safetensors file that can be memory-mapped and used without copies.

Any safetensors reader opens these files. The header is padded and tensors are ordered so that nearly all of them start
at multiples of 64 bytes, as torch's own memory does. A mapped tensor is then used without a copy and rounds like one in
ordinary memory; at other addresses some kernels round differently. Unused bytes are never read. The header holds a
digest of the data, so checking the header's digest (a few kilobytes) identifies the data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..core.errors import InputError
from ..core.files import file_sha256

ALIGNMENT = 64
_DIGEST = "data_sha256"
_LENGTH_BYTES, _LONGEST_HEADER = 8, 100 * 2**20  # as safetensors has them
_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(path: Path, state: Mapping[str, Tensor]) -> str:
    """Write ``state`` to ``path``, tensor by tensor; returns the SHA-256 of the file's header."""
    # tensors that would misalign others come last; larger types first, as safetensors requires
    order = sorted(state, key=lambda name: (state[name].nbytes % ALIGNMENT > 0, -state[name].element_size(), name))
    entries: dict[str, object] = {}
    digest, end = hashlib.sha256(), 0
    for name in order:
        value, begin, end = state[name], end, end + state[name].nbytes
        entries[name] = {"dtype": _TYPES[value.dtype], "shape": list(value.shape), "data_offsets": [begin, end]}
        digest.update(_bytes_of(value))
    metadata = {"format": "pt", _DIGEST: digest.hexdigest()}
    text = json.dumps({"__metadata__": metadata, **entries}, separators=(",", ":")).encode()
    text += b" " * (-(_LENGTH_BYTES + len(text)) % ALIGNMENT)
    header = len(text).to_bytes(_LENGTH_BYTES, "little") + text
    with path.open("wb") as file:
        file.write(header)
        for name in order:
            file.write(_bytes_of(state[name]))
    return hashlib.sha256(header).hexdigest()


def map_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, memory-mapped where they are aligned, else copied.

    They may be changed in place; the file does not change. Nothing is read before it is used.

    Raises:
        InputError: not such a file, or one that is shorter or longer than its header says.
    """
    try:
        with safe_open(path, framework="pt") as opened:
            found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise InputError(f"{path}: cannot be read ({error}); truncated or edited?") from None
    return {name: value if value.data_ptr() % ALIGNMENT == 0 else value.clone() for name, value in found.items()}


def header_sha256(path: Path) -> str:
    """SHA-256 of the header, which names types, sizes and, by their digest, the data."""
    return hashlib.sha256(_header(path)).hexdigest()


def data_is_whole(path: Path) -> bool:
    """Whether the data match the digest in the header; reads all of them."""
    header = _header(path)
    try:
        wanted = json.loads(header[_LENGTH_BYTES:])["__metadata__"][_DIGEST]
    except (ValueError, KeyError, TypeError):
        return False
    return bool(wanted == file_sha256(path, len(header)))


def _header(path: Path) -> bytes:
    """The header with its length in front, or as much of it as the file has."""
    with path.open("rb") as file:
        length = file.read(_LENGTH_BYTES)
        return length + file.read(min(int.from_bytes(length, "little"), _LONGEST_HEADER))


def _bytes_of(value: Tensor) -> memoryview:
    """The tensor's bytes; copied only if it is not contiguous or on another device."""
    flat = value.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
