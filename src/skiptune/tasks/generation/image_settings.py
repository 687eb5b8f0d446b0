"""Other settings of a model's own image processor: fewer pixels or fewer tiles are fewer image tokens.

They are a part of what an export writes, a plain one too: whoever loads it gives the model as many tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from ...core.errors import InputError, first_line
from ...core.validation import Problems, nearest
from ...families.chat_processor import ChatProcessor

#: Limits that processors take, and keep as a part of ``size``.
_LIMITS = ("min_pixels", "max_pixels")
#: What a model is built for, with no trace in the size of images and tiles.
_BUILT_FOR = ("merge_size", "do_pad")
#: (width, height) of pictures that settings are tried with: odd ones tell settings that take some sizes alone.
_TRIED = ((640, 480), (97, 641))
#: Those of which a model's configuration has a copy.
OF_MODEL = ("image_grid_pinpoints",)


def with_image_settings(processor: ChatProcessor, settings: Mapping[str, Any]) -> ChatProcessor:
    """The processor of a model whose images are prepared by other settings; ``processor`` is not changed.

    Raises:
        InputError: the model reads texts alone, a setting is none of its image processor or has no effect, a value is
            not valid, or the model would get images or tiles of another size than it takes.
    """
    if not settings:
        return processor
    if processor.whole is None:
        raise InputError("image_settings: the model reads texts alone; leave them out")
    before = processor.image_processor
    kind, known = type(before), before.to_dict()
    names = [name for name in (*known, *_LIMITS) if name in kind.valid_kwargs.__annotations__]
    problems = Problems("image_settings")
    for name, value in settings.items():
        problems.check(name in names, f"{name}: no setting of {kind.__name__}{nearest(name, names)}")
        if name in names:
            _check(name, value, known.get(name), processor.whole, problems)
    problems.raise_any()
    try:
        after = kind.from_dict({**known, **copy.deepcopy(dict(settings))})
        shapes = _shapes(after)
    except Exception as error:  # processors raise what they like
        raise InputError(f"image_settings: {kind.__name__} does not take them ({first_line(error)})") from None
    taken, *others = _shapes(before)
    if not others and shapes != [taken]:
        made = next(shape for shape in shapes if shape != taken)
        raise InputError(
            f"image_settings: the model's tower takes {_said(taken)}, and these settings make {_said(made)}; "
            "change how many there are of an image, not their size"
        )
    for pair in settings.get("image_grid_pinpoints", ()):
        tiles = all(side and side % own == 0 for side, own in zip(pair, taken, strict=True))
        problems.check(tiles, f"image_grid_pinpoints: {pair} is not a whole number of {_said(taken)}")
    problems.raise_any()
    whole = copy.copy(processor.whole)
    whole.image_processor = after
    return replace(processor, whole=whole)


def _check(name: str, value: Any, known: Any, whole: Any, problems: Problems) -> None:
    """Refuse a setting that has no effect, or that the rest of the model does not follow. ``known``: what it is now;
    ``whole``: the processor that joins texts and images, some of which have settings of their own above these."""
    fixed = getattr(whole, "images_kwargs", {}).get(name, value)
    problems.check(fixed == value, f"{name}: {type(whole).__name__} always takes {fixed!r}; leave it out")
    problems.check(
        name not in _BUILT_FOR or value == known, f"{name}: the model is built for the one that it has; leave it out"
    )
    wrong = isinstance(known, bool) and not isinstance(value, bool)
    problems.check(not wrong, f"{name}: {value!r} is neither true nor false")


def _shapes(images: Any) -> list[tuple[int, ...]]:
    """Height and width of images or tiles as the tower gets them, or numbers in a patch where it takes patches; several
    where it takes images of any size."""
    return sorted({_shape(images, Image.new("RGB", size)) for size in _TRIED})


def _shape(images: Any, picture: Image.Image) -> tuple[int, ...]:
    made = images([[picture]] if _nests(images) else [picture])
    shape = np.asarray(
        made["pixel_values"][0] if isinstance(made["pixel_values"], list) else made["pixel_values"]
    ).shape
    return tuple(shape[-2:] if len(shape) > 2 else shape[-1:])


def _nests(images: Any) -> bool:
    """Whether an image processor wants lists of images, one for each text."""
    return hasattr(images, "do_image_splitting")


def _said(shape: tuple[int, ...]) -> str:
    return f"images of {shape[0]} × {shape[1]} pixels" if len(shape) == 2 else f"patches of {shape[0]} numbers"
