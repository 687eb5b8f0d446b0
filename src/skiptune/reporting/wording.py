"""Names and numbers as a report shows them."""

from __future__ import annotations

from collections.abc import Callable

from ..core.formatting import change, counted
from .result_sections import InputSize
from .results import Results

#: What a part is, where its name does not say it.
RESERVED = "The reserved part is a share of the validation images that the search never saw."
TOO_GOOD = "The plan was chosen on the validation part, so what is measured there is likely too good."

#: What is timed of a model that writes.
PREFILL = (
    "Timed is the prefill, the pass over the prompt; a budget may also count decode steps, one token each, that follow "
    "it, see skiptune cost --decode-steps."
)


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
    """``asked for −25.0%``, if the budget is a relative change of ``name``, ``macs`` or ``latency``; else empty. Of a
    model that writes, it says which steps that is about: what is measured is the prefill alone."""
    given = results.recipe.budget if results.recipe else None
    asked: float | None = getattr(given, name, None)
    if asked is None or given is None:
        return ""
    after = f" and {counted(given.steps, 'decode steps')} together" if given.steps else ""
    return f"asked for {change(asked)}" + (f" of the prefill{after}" if writes(results) else "")


def writes(results: Results) -> bool:
    """Whether the model writes answers, so that a forward pass is only the beginning of one."""
    return results.recipe is not None and results.recipe.task == "generation"


def pass_name(results: Results) -> str:
    """What a forward pass's time is called."""
    return "prefill latency" if writes(results) else "latency"
