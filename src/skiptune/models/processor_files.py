"""The files of a directory that its tokenizer and image processor are read from."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

#: What transformers reads of tokenizers and image processors. A file too many is obeyed as a changed one is.
PROCESSOR_FILES = (
    "processor_config.json", "preprocessor_config.json", "image_processor_config.json",
    "video_preprocessor_config.json", "tokenizer*", "vocab*",
    "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template*", "spiece.model",
    "sentencepiece.bpe.model",
)  # fmt: skip


def processor_files(folder: Path) -> list[Path]:
    """Those that are there, by name."""
    return matching(folder, PROCESSOR_FILES)


def matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a directory whose names match one of the patterns, by name."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in patterns)
    ]
