"""How a model generates, as its directory says it: where answers end, and what is never written."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from transformers import GenerationConfig
from transformers.utils import GENERATION_CONFIG_NAME

from ..core.errors import InputError, first_line
from .construction import unsaid


def generation_of(model: Any) -> GenerationConfig | None:
    """A copy of the model's generation configuration, with a cache, which is off for gradient checkpointing; ``None``:
    it does not generate."""
    if not getattr(model, "can_generate", lambda: False)():
        return None
    found: GenerationConfig = copy.deepcopy(model.generation_config)
    found.use_cache = True
    return found


def write_generation(found: GenerationConfig | None, folder: Path) -> None:
    """Write a generation configuration as it is; nothing of ``None``.

    Many published ones hold settings that their way of decoding does not use, which transformers reads with a warning
    and refuses to write.
    """
    if found is not None:
        found.to_json_file(folder / GENERATION_CONFIG_NAME)


def read_generation(model: Any, folder: Path) -> None:
    """Give a model the generation configuration of a directory; without one it keeps its own.

    Raises:
        InputError: the file cannot be read.
    """
    path = folder / GENERATION_CONFIG_NAME
    if not path.is_file():
        return
    try:
        with unsaid():
            model.generation_config = GenerationConfig.from_pretrained(folder)
    except Exception as error:  # an edited file can raise anything
        raise InputError(f"{path}: cannot be read ({first_line(error)}); edited or damaged?") from None
