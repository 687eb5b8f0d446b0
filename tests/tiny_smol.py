"""A tiny language model in the place of SmolLM2, in a package as the published one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gguf_files import write_gguf
from skiptune.models.published import PUBLISHED
from tiny_decoders import text_decoder

PACKAGE = "a_tiny_smollm2"


def publish(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put it into a package in ``folder`` that can be imported, for the time of a test."""
    published = replace(PUBLISHED["smollm2-135m"], package=PACKAGE)
    (folder / PACKAGE).mkdir(parents=True)
    (folder / PACKAGE / "__init__.py").touch()
    write_gguf(folder / PACKAGE / published.file, text_decoder("llama"))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(PUBLISHED, "smollm2-135m", published)
    sys.modules.pop(PACKAGE, None)
