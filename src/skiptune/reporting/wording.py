"""Names and numbers as a report shows them."""

from __future__ import annotations

from collections.abc import Callable

from ..core.formatting import change
from .result_sections import InputSize
from .results import Results

#: What a part is, where its name does not say it.
RESERVED = "The reserved part is a share of the validation images that the search never saw."
TOO_GOOD = "The plan was chosen on the validation part, so what is measured there is likely too good."


def readable(name: str) -> str:
    """A name of a file's field as words."""
    return name.replace("_", " ")


def measure_name(results: Results) -> str:
    """The name of the main metric."""
    return readable(results.metric.name)


def or_dash(show: Callable[[float], str], value: float | None) -> str:
    """``value`` as ``show`` formats it, or a dash if it is not known."""
    return "–" if value is None else show(value)


def sizes(given: InputSize | None) -> str:
    """``for an image of 48 × 64 pixels and 11 tokens of text``."""
    if given is None:
        return ""
    height, width = given.image_size
    image = f"an image of {height} × {width} pixels" if height else ""
    text = f"{given.text_length} tokens of text" if given.text_length else ""
    return f"for {' and '.join(part for part in (image, text) if part)}"


def budget(results: Results, name: str) -> str:
    """``asked for −25.0%``, if the budget is a relative change of ``name``, ``macs`` or ``latency``; else empty."""
    given = results.recipe.budget if results.recipe else None
    asked: float | None = getattr(given, name, None)
    if asked is None or given is None:
        return ""
    steps = "" if given.decode_steps is None else f" with {given.decode_steps} decode steps"
    return f"asked for {change(asked)}{steps}"
