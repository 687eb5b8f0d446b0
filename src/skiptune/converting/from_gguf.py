"""Convert a language model in a GGUF file to a directory of transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import torch
from transformers import PreTrainedModel

from ..core.errors import InputError
from ..core.files import write_atomically
from ..core.output_folders import behind_links, make_output_folder
from ..core.validation import nearest
from ..families.registry import family_of_type
from ..models.gguf import gguf_config, gguf_tokenizer, model_from_gguf, open_gguf
from ..models.processors import fit_tokenizer
from ..models.weight_files import refuse_not_finite
from .conversion import Conversion

#: Kinds of numbers that weights are written in.
NumberType = Literal["float32", "float16", "bfloat16"]
_SIZES = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "max_position_embeddings",
)  # fmt: skip


def convert_gguf(path: Path, output: Path, dtype: str, begin: Callable[[str], None]) -> Conversion:
    """Write model, tokenizer, chat template and generation configuration of a GGUF file, whole or not at all.

    Args:
        path: the file.
        output: a new or empty directory.
        dtype: one of :data:`NumberType`.
        begin: is told the part of the work that begins.

    Raises:
        InputError: as those of :mod:`skiptune.models.gguf`, an unknown ``dtype``, or weights that are not finite.
        RunError: the disk is full.
    """
    if dtype not in get_args(NumberType):
        raise InputError(f"dtype: {dtype!r}{nearest(dtype, get_args(NumberType))}")
    begin("reading")
    opened = open_gguf(path)
    config, tokenizer = gguf_config(opened), gguf_tokenizer(opened)
    fit_tokenizer(tokenizer, family_of_type(config.model_type, str(path)).sizes(config), str(path))
    begin("weights")
    model = model_from_gguf(opened, config).to(getattr(torch, dtype))
    refuse_not_finite(model.named_parameters(), str(path))
    begin("writing")

    def write(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    make_output_folder(output.parent)
    write_atomically(behind_links(output), write)
    return _conversion(model, dtype)


def _conversion(model: PreTrainedModel, dtype: str) -> Conversion:
    return Conversion(
        title=type(model).__name__,
        task="generation",
        sizes={**{name: getattr(model.config, name) for name in _SIZES}, "dtype": dtype},
        labels=1,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        heads=("language model",),
        left_out={},
        plan=None,
        tokenizer=True,
    )
