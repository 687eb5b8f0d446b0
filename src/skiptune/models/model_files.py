"""The files of a model's directory that decide what it computes, and their digests."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from ..core.files import file_sha256
from .architectures import ARCHITECTURES
from .loading import load_config, source_of

#: What transformers reads of tokenizers and image processors. A file too many is obeyed as a changed one is.
PROCESSOR_FILES = (
    "processor_config.json", "preprocessor_config.json", "image_processor_config.json", "tokenizer*", "vocab*",
    "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template*", "spiece.model",
    "sentencepiece.bpe.model",
)  # fmt: skip
_MODEL_FILES = (*PROCESSOR_FILES, "config.json", "*.safetensors", "*.safetensors.index.json", "pytorch_model*")


def processor_files(folder: Path) -> list[Path]:
    """The files of a directory that its tokenizer and image processor are read from."""
    return _matching(folder, PROCESSOR_FILES)


def model_digests(name: str) -> dict[str, str]:
    """SHA-256 of every file of a model by name; of one from the hub its revision; nothing of an architecture.

    Raises:
        InputError: no such model.
    """
    if name in ARCHITECTURES:
        return {}
    folder = Path(source_of(name))
    if folder.is_dir():
        return {path.name: file_sha256(path) for path in _matching(folder, _MODEL_FILES)}
    return {"revision": str(getattr(load_config(name), "_commit_hash", None))}


def _matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
