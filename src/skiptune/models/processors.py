"""Read a model's tokenizer and image settings, and refuse what would fail at the first record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import AutoTokenizer

from ..core.errors import InputError, first_line
from ..core.validation import Problems, is_number, shortened
from ..families.family import Family, InputSizes

_LARGEST_SIDE = 2**12


def read_processor(source: str, family: Family, config: Any, subject: str) -> Any:
    """The processor in a directory or of a hub id. Its texts are cut at the positions that the model has.

    Args:
        source: directory or hub id.
        family: the model's.
        config: the model's.
        subject: what messages begin with.

    Raises:
        InputError: files are missing or damaged, or do not fit the model.
    """
    processor, images = family.processors
    try:
        settings = images.from_pretrained(source)
        tokenizer = read_tokenizer(source, config)
        refuse_odd_images(settings, family.sizes(config).patch_size, subject)
        fit_tokenizer(tokenizer, family.sizes(config), subject)
        return processor(settings, tokenizer)
    except InputError:
        raise
    except Exception as error:  # damaged files can raise anything
        raise InputError(
            f"{subject}: its tokenizer and image settings cannot be read ({first_line(error)}); missing or edited?"
        ) from None


def read_tokenizer(source: str | Path, config: Any) -> Any:
    """The tokenizer in a directory or of a hub id; ``config`` tells its kind where its own files do not.

    Raises:
        InputError: files are missing or damaged.
    """
    try:
        return AutoTokenizer.from_pretrained(source, config=config, trust_remote_code=False)
    except Exception as error:  # damaged files can raise anything
        raise InputError(f"{source}: no tokenizer could be read ({first_line(error)})") from None


def fit_tokenizer(tokenizer: Any, sizes: InputSizes, subject: str) -> None:
    """Let ``tokenizer`` cut texts where the model has no more positions. In place.

    Raises:
        InputError: it cannot fill up a batch, knows words that the model does not, or fails.
    """
    limit = tokenizer.model_max_length
    if not is_number(limit, 1) and not (isinstance(limit, int | float) and limit >= 1):
        raise InputError(f"{subject}: model_max_length: {shortened(repr(limit))} is not a number of at least 1")
    if tokenizer.pad_token_id is None:
        raise InputError(f"{subject}: pad_token: the tokenizer has none, which batches need; set it in its files")
    if len(tokenizer) <= len(set(tokenizer.all_special_tokens)):  # transformers makes one of nothing
        raise InputError(f"{subject}: its tokenizer has no words; its files are missing")
    if len(tokenizer) > sizes.vocab_size:
        raise InputError(
            f"{subject}: the tokenizer has {len(tokenizer):,} words, the model knows {sizes.vocab_size:,}; not its own"
        )
    tokenizer.model_max_length = limit = int(min(limit, sizes.longest_text))
    try:
        tokens = tokenizer(["is it so?", "yes"], padding=True, truncation=True, max_length=limit)["input_ids"]
    except Exception as error:  # damaged files can raise anything
        raise InputError(f"{subject}: its tokenizer fails ({first_line(error)}); missing or edited files?") from None
    if max(map(max, tokens), default=0) >= sizes.vocab_size:
        raise InputError(f"{subject}: the tokenizer gives numbers that the model has no words for; not its own")


def refuse_odd_images(settings: Any, patch: int, subject: str) -> None:
    """Refuse settings that images cannot be prepared with, for a model with patches of ``patch`` pixels a side.

    Raises:
        InputError: names every one with its value, or gives the reason why a trial fails.
    """
    problems = Problems(f"{subject}: its image settings cannot be used")
    for name, low in (("image_mean", -1e6), ("image_std", 1e-6)):
        value = getattr(settings, name, None)
        three = isinstance(value, Sequence) and len(value) == 3 and all(is_number(each, low, 1e6) for each in value)
        problems.check(three, f"{name}: {shortened(repr(value))} is not a list of three numbers, a colour each")
    factor = getattr(settings, "rescale_factor", None)
    problems.check(is_number(factor, 1e-9), f"rescale_factor: {shortened(repr(factor))} is not a number above 0")
    for name in ("size", "crop_size"):
        value = getattr(settings, name, None)
        sides = [] if value is None else [side for side in dict(value).values() if side is not None]
        fine = all(is_number(side, 1, _LARGEST_SIDE, whole=True) for side in sides)
        problems.check(fine, f"{name}: {shortened(repr(sides))} is not whole numbers in [1, {_LARGEST_SIDE}]")
    problems.raise_any()
    made = settings(Image.new("RGB", (64, 64)), do_rescale=False, do_normalize=False, do_pad=False)
    shape = tuple(made["pixel_values"][0].shape)
    fine = len(shape) == 3 and shape[0] == 3 and all(side and side % patch == 0 for side in shape[1:])
    problems.check(fine, f"size: a square image becomes {shape}; expected 3 colours, and multiples of {patch} pixels")
    problems.raise_any()
