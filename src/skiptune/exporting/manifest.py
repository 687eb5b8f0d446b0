"""The configuration of a slim model's directory, read and checked before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from ..core.files import read_json
from ..core.validation import Problems
from ..families.registry import model_class_named

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ..families.family import Family

#: Not a type that transformers knows, so that opening the directory with one of its classes fails at once.
MODEL_TYPE = "skiptune-slim"
CONFIG, WEIGHTS = "config.json", "slim.safetensors"
#: 2 names the SHA-256 of the weights' header, 1 (written by 0.2) that of the whole file.
FORMAT, READABLE = 2, (1, 2)
#: Numbers of every frozen weight that ``base_sample`` is taken of; exports of 0.2 have none.
SAMPLE = 16


def is_slim(directory: str | Path) -> bool:
    """Whether ``directory`` holds a slim model."""
    path = Path(directory) / CONFIG
    return path.is_file() and f'"{MODEL_TYPE}"' in path.read_text(encoding="utf-8", errors="replace")


def read_config(folder: Path) -> dict[str, Any]:
    """The content of ``config.json``.

    Raises:
        InputError: not a slim model's, or edited; all problems in one message.
    """
    content = read_json(folder / CONFIG)
    if not isinstance(content, dict) or content.get("model_type") != MODEL_TYPE:
        found = content.get("model_type") if isinstance(content, dict) else content
        raise InputError(f"{folder}: not a slim model (model_type {found!r}, expected {MODEL_TYPE!r})")
    problems = Problems(f"{folder / CONFIG} is not valid")
    form = content.get("format")
    kinds = {
        "form": str,
        "architecture": str,
        "base_config": dict,
        "base_fingerprint": str,
        "skip_config": dict,
        "plan": dict,
        "strategy": str,
        "weights_sha256" if form == 1 else "header_sha256": str,
    }
    for name, kind in kinds.items():
        problems.check(isinstance(content.get(name), kind), f"{name}: missing or not a {kind.__name__}")
    problems.check(isinstance(content.get("base_sample", ""), str), "base_sample: not a str")
    problems.check(content.get("form") in ("standalone", "adapters"), f"form: {content.get('form')!r} is not known")
    try:
        model_class_of(content)
    except InputError as error:
        problems.add(f"architecture: {error}")
    problems.check(form in READABLE, f"format: {form!r}, this version reads {' and '.join(map(str, READABLE))}")
    problems.raise_any()
    return content


def model_class_of(content: Mapping[str, Any]) -> tuple[type[PreTrainedModel], Family]:
    """The class of a slim model, and its family.

    Raises:
        InputError: there is no such class.
    """
    base = content.get("base_config")
    model_type = base.get("model_type") if isinstance(base, dict) else None
    return model_class_named(content.get("architecture", ""), model_type)
