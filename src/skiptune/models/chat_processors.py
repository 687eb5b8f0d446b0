"""Read the processor of a model that generates text."""

from __future__ import annotations

from typing import Any

from transformers import AutoProcessor

from ..core.errors import InputError, first_line
from ..families.chat_processor import ChatProcessor
from ..families.family import Family
from .processors import read_tokenizer


def read_chat_processor(source: str, family: Family, config: Any, subject: str) -> ChatProcessor:
    """The processor in a directory or of a hub id.

    Args:
        source: directory or hub id.
        family: the model's.
        config: the model's.
        subject: what messages begin with.

    Raises:
        InputError: files are missing or damaged.
    """
    if not hasattr(config, "vision_config"):
        return ChatProcessor(family.name, _padding(read_tokenizer(source, config)))
    try:
        whole = AutoProcessor.from_pretrained(source, trust_remote_code=False)
    except Exception as error:  # damaged files can raise anything
        raise InputError(
            f"{subject}: its tokenizer and image settings cannot be read ({first_line(error)}); missing or edited?"
        ) from None
    return ChatProcessor(family.name, _padding(whole.tokenizer), whole)


def _padding(tokenizer: Any) -> Any:
    """The tokenizer, which fills batches up with its end token where it names no other."""
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
