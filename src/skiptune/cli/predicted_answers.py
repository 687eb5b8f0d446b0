"""Predictions as ``skiptune predict`` prints them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ..predicting.results import Prediction


def print_answers(found: Prediction) -> None:
    """The answers to one question, one a line, or the problem with it."""
    if found.error is not None:
        typer.echo(f"  error: {found.error}")
    for entry in found:
        typer.echo(f"{number_before(entry.probability, entry.score)}{entry.answer}")


def answer_rows(asked: Iterable[tuple[object, str, Prediction]]) -> list[dict[str, Any]]:
    """JSON values of pictures, texts and what was found of them."""
    return [{"image": str(image), "text": text, **each.to_dict()} for image, text, each in asked]


def number_before(probability: float | None, score: float | None) -> str:
    """A probability or score with the space after it; of an answer that has neither, nothing."""
    if probability is not None:
        return f"{probability:7.2%}  "
    return "" if score is None else f"{score:+.3f}  "
