"""How generation is trained and measured."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from ...core.validated import Count, Text, Validated
from ...core.validation import LARGEST

#: What answers are compared by, see :mod:`.measures`.
Measure: TypeAlias = Literal["exact_match", "vqa_accuracy", "anls", "choice", "likelihood"]


class GenerationSettings(Validated):
    """Settings of generation.

    Attributes:
        prompt: what is asked about an image of a record with captions; goes before the question of records with
            questions. ``None``: captions are asked for by a usual sentence, questions stand alone.
        system: a system turn before conversations that have none.
        measure: the headline: ``exact_match`` and ``vqa_accuracy`` (soft scores) and ``anls`` of generated answers,
            ``choice`` among the options of a record by log-likelihood, or the ``likelihood`` of right answers, which
            generates nothing.
        max_new_tokens: tokens of a generated answer at most.
        max_length: tokens of a conversation in training at most. Text is cut at its end; the tokens of images never.
        max_pixels: of an image, height times width.
    """

    prompt: Text | None = None
    system: Text | None = None
    measure: Measure = "exact_match"
    max_new_tokens: Count = 32
    max_length: Count = 2048
    max_pixels: int | None = Field(default=None, ge=1, le=LARGEST)
