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
#: Those of which a model's configuration has a copy.
OF_MODEL = ("image_grid_pinpoints",)


def with_image_settings(processor: ChatProcessor, settings: Mapping[str, Any]) -> ChatProcessor:
    """The processor of a model whose images are prepared by other settings; ``processor`` is not changed.

    Raises:
        InputError: the model reads texts alone, a setting is none of its image processor, a value is not valid, or the
            model's tower would get images or tiles of another size than it takes.
    """
    if not settings:
        return processor
    if processor.whole is None:
        raise InputError("image_settings: the model reads texts alone; leave them out")
    before = processor.image_processor
    kind, known = type(before), before.to_dict()
    names = [name for name in (*known, *_LIMITS) if name in kind.valid_kwargs.__annotations__]
    problems = Problems("image_settings")
    for name in settings:
        problems.check(name in names, f"{name}: no setting of {kind.__name__}{nearest(name, names)}")
    problems.raise_any()
    try:
        after = kind.from_dict({**known, **copy.deepcopy(dict(settings))})
        shape = _shape(after)
    except Exception as error:  # processors raise what they like
        raise InputError(f"image_settings: {kind.__name__} does not take them ({first_line(error)})") from None
    if shape != _shape(before):
        raise InputError(
            f"image_settings: the model's tower takes {_said(_shape(before))}, and these settings make {_said(shape)}; "
            "change how many there are of an image, not their size"
        )
    whole = copy.copy(processor.whole)
    whole.image_processor = after
    return replace(processor, whole=whole)


def _shape(images: Any) -> tuple[int, ...]:
    """Height and width of an image or a tile as the tower gets it; of a tower for any size, numbers in a patch."""
    made = images([[Image.new("RGB", (640, 480))]] if _nests(images) else [Image.new("RGB", (640, 480))])
    shape = np.asarray(
        made["pixel_values"][0] if isinstance(made["pixel_values"], list) else made["pixel_values"]
    ).shape
    return tuple(shape[-2:] if len(shape) > 2 else shape[-1:])


def _nests(images: Any) -> bool:
    """Whether an image processor wants lists of images, one for each text."""
    return hasattr(images, "do_image_splitting")


def _said(shape: tuple[int, ...]) -> str:
    return f"images of {shape[0]} × {shape[1]} pixels" if len(shape) == 2 else f"patches of {shape[0]} numbers"
