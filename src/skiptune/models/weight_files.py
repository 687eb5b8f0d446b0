"""Check files of weights before transformers reads them, and read pickled ones without running any code in them."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from ..core.errors import InputError
from ..core.text_files import read_json
from .construction import ONE_AT_A_TIME

_ZIP, _POINTER = b"PK\x03\x04", b"version https://git-lfs"
_CALLBACK = re.compile(r"(pytorch_lightning|lightning\.pytorch)\.callbacks\.[\w.]+")
#: In the order in which transformers looks for them: the file, or the index of several.
_NAMES = ("model.safetensors", "pytorch_model.bin")
#: What weights are stored as; safetensors' names, and torch's.
_FLOATS = ("F64", "F32", "F16", "BF16")
_TORCH_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
#: Tables of whole numbers that models keep beside their weights, by the last part of their names.
_WHOLE = ("position_ids", "token_type_ids", "num_batches_tracked")


class _Mention:
    """Replaces a class that is a dictionary key in the pickle."""


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights of a model's directory.

    Raises:
        InputError: there are none, or an index is damaged, names files elsewhere, or ones that are missing.
    """
    for name in _NAMES:
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return [folder / name]
        if index.is_file():
            return [folder / part for part in _shards(index)]
    raise InputError(f"{folder}: no weights in this directory; expected {' or '.join(_NAMES)}")


def _shards(index: Path) -> list[str]:
    content = read_json(index)
    names = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise InputError(f"{index}: no mapping 'weight_map' from weights to files in it; edited?")
    for name in sorted(set(names.values())):
        if Path(name).name != name or "\\" in name or ":" in name or name in (".", ".."):
            raise InputError(f"{index}: {name!r} is not a file of this directory; edited?")
        if not (index.parent / name).is_file():
            raise InputError(f"{index.parent / name}: no such file, and {index.name} names it; copy all parts")
    if not isinstance(content.get("metadata"), dict):  # transformers reads it
        raise InputError(f"{index}: no mapping 'metadata' in it; add \"metadata\": {{}}")
    return sorted(set(names.values()))


def check_weights(folder: Path) -> None:
    """Refuse a model's directory whose files of weights are damaged or hold no weights; reads names and kinds only.

    Raises:
        InputError: names file and weight.
    """
    for path in weight_files(folder):
        if path.suffix == ".safetensors":
            kinds = _kinds(path)
        else:
            kinds = {name: _kind(value) for name, value in read_pickled_state(path).items()}
        for name, kind in kinds.items():
            if kind not in _FLOATS and name.rpartition(".")[2] not in _WHOLE:
                raise InputError(f"{path}: {name}: numbers of kind {kind}; expected weights of {', '.join(_FLOATS)}")


def refuse_not_finite(tensors: Iterable[tuple[str, Tensor]], subject: str) -> None:
    """Refuse weights with NaN or infinity, which every answer would become.

    Raises:
        InputError: names up to three of them.
    """
    bad = [name for name, value in tensors if value.is_floating_point() and not _is_finite(value)]
    if bad:
        names = ", ".join(bad[:3])
        raise InputError(f"{subject}: NaN or infinity in {len(bad)} weights: {names}; a training diverged?")


def _is_finite(value: Tensor) -> bool:
    # a sum is not finite if a number is not, and takes a tenth of the time; it may also overflow
    return value.is_meta or bool(value.detach().sum().isfinite()) or bool(value.detach().isfinite().all())


def problem_of(value: Tensor) -> str | None:
    """What keeps a tensor from being a weight; ``None``: nothing does."""
    if problem := dense_problem_of(value):
        return problem
    if value.dtype not in _TORCH_FLOATS:
        return f"numbers of kind {_kind(value)}; expected weights of {', '.join(_FLOATS)}"
    if value.ndim == 0:
        return "a single number; a weight has at least one axis"
    return None if _is_finite(value) else "NaN or infinity in it; a training diverged?"


def dense_problem_of(value: Tensor) -> str | None:
    """What keeps a tensor from being one of real numbers that are all there; ``None``: nothing does."""
    odd = value.layout is not torch.strided or value.is_quantized or value.is_nested or value.is_meta
    return f"a tensor of kind {_kind(value)}; expected a dense one" if odd or value.is_complex() else None


def _kind(value: Tensor) -> str:
    if value.layout is not torch.strided:
        return str(value.layout).removeprefix("torch.")
    if value.is_nested or value.is_meta:
        return "nested" if value.is_nested else "without data"
    if value.dtype in _TORCH_FLOATS and not value.is_quantized:
        return _FLOATS[_TORCH_FLOATS.index(value.dtype)]
    return str(value.dtype).removeprefix("torch.")


def refuse_pointer(path: Path) -> None:
    """Refuse an empty file, and one that only says where Git keeps the real one.

    Raises:
        InputError: it is one.
    """
    with path.open("rb") as file:
        start = file.read(len(_POINTER))
    if not start:
        raise InputError(f"{path}: an empty file; copy or download it again")
    if start == _POINTER:
        raise InputError(f"{path}: a pointer of Git LFS, not the file itself; run: git lfs pull")


def _kinds(path: Path) -> dict[str, str]:
    """Name → kind of number of every tensor in a safetensors file."""
    refuse_pointer(path)
    try:
        with safe_open(path, framework="pt") as opened:
            names = list(opened.keys())
            return {name: str(opened.get_slice(name).get_dtype()) for name in names}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a safetensors file, or truncated ({error})") from None


def read_pickled_state(path: Path) -> dict[str, Tensor]:
    """A state dictionary that ``torch.save`` wrote.

    Raises:
        InputError: as :func:`read_pickle`, or something else is in it.
    """
    content = read_pickle(path)
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: no weights in it; expected a state dictionary")
    odd = [str(name) for name, value in content.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if odd:
        raise InputError(f"{path}: not a state dictionary; no tensors: {', '.join(odd[:5])}")
    return dict(content)


def read_pickle(path: Path) -> Any:
    """What ``torch.save`` wrote: tensors and plain containers, mapped into memory if possible. No code in it runs.

    Raises:
        InputError: a pointer of Git LFS, empty, truncated, another kind of file, or a pickle with anything else.
    """
    refuse_pointer(path)
    with path.open("rb") as file:
        zipped = file.read(len(_ZIP)) == _ZIP
    if zipped and not zipfile.is_zipfile(path):
        raise InputError(f"{path}: truncated, its end is missing; copy or download it again")
    try:
        named = get_unsafe_globals_in_checkpoint(path) if zipped else []
        mentions = [name for name in named if _CALLBACK.fullmatch(name)]
        if foreign := sorted(set(named) - set(mentions)):
            raise InputError(_refusal(path, foreign))
        allowed: list[Any] = [(_Mention, name) for name in mentions]
        with ONE_AT_A_TIME, safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warns about the pickle's version
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except (InputError, OSError, MemoryError):
        raise
    except Exception as error:  # another kind of file can raise anything
        if foreign := re.findall(r"GLOBAL ([\w.]+)", str(error)):
            raise InputError(_refusal(path, foreign)) from None
        reason = f" ({str(error).splitlines()[0]})" if isinstance(error, RuntimeError) and str(error) else ""
        raise InputError(f"{path}: not a checkpoint that torch.save wrote, or truncated{reason}") from None


def _refusal(path: Path, foreign: list[str]) -> str:
    return (
        f"{path}: holds more than tensors and plain containers: {', '.join(foreign)}. Reading these runs code that the "
        "file chooses, so nothing was read. Where you trust the file, load it with the program that wrote it and save "
        "its state dictionary alone"
    )
