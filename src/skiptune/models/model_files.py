"""The files of a model's directory that decide what it computes, and their digests."""

from __future__ import annotations

from pathlib import Path

from ..core.files import file_sha256
from .architectures import ARCHITECTURES
from .in_parts import PARTS, part_files
from .loading import load_config, source_of
from .processor_files import PROCESSOR_FILES, matching

_MODEL_FILES = (
    *PROCESSOR_FILES, "config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json",
    "pytorch_model*", PARTS,
)  # fmt: skip


def model_digests(name: str) -> dict[str, str]:
    """SHA-256 of every file of a model by name, those of its parts too; of one from the hub its revision; nothing of
    an architecture.

    Raises:
        InputError: no such model, or a part of it is not installed.
    """
    if name in ARCHITECTURES:
        return {}
    folder = Path(source_of(name))
    if folder.is_dir():
        files = {path.name: path for path in matching(folder, _MODEL_FILES)} | part_files(folder)
        return {name: file_sha256(path) for name, path in files.items()}
    return {"revision": str(getattr(load_config(name), "_commit_hash", None))}
