"""Backends that run a slim model: torch, or onnxruntime if the directory has an ONNX export."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..core.errors import InputError
from ..core.validation import nearest
from .load import load
from .onnx.session import load_onnx
from .onnx_files import ONNX_FILES

BACKENDS = ("torch", *ONNX_FILES)


def load_backend(folder: Path, backend: str | None = None, base: str | None = None) -> nn.Module:
    """A slim model, ready for inference with ``backend``.

    Args:
        folder: the slim directory.
        backend: ``torch``, ``onnx`` or ``onnx-int8``; ``None``: the first of them that the directory holds.
        base: another place of the base model, for ``torch`` and the ``adapters`` form.

    Raises:
        InputError: no such backend, the directory has no files for it, or the files are damaged.
    """
    held = held_backends(folder)
    chosen = backend or (held or BACKENDS)[0]
    if chosen not in BACKENDS:
        raise InputError(f"backend: {chosen!r}{nearest(chosen, BACKENDS)}")
    if held and chosen not in held:
        hint = "" if chosen == "torch" else "; skiptune export --onnx (with --int8, if wanted) writes such files"
        raise InputError(f"backend: {folder} has nothing for {chosen!r}, only for {', '.join(held)}{hint}")
    if chosen == "torch":
        model: nn.Module = load(folder, base, verify=True)
        return model
    if base is not None:
        raise InputError(f"base: a model for {chosen!r} stands alone and takes none")
    return load_onnx(folder, chosen)


def held_backends(folder: Path) -> list[str]:
    """The backends that a slim directory has files for, in the order of :data:`BACKENDS`."""
    torch = ["torch"] if any(folder.glob("*.safetensors")) else []
    return [*torch, *(backend for backend, file in ONNX_FILES.items() if (folder / file).is_file())]
