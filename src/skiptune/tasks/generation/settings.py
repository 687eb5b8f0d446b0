"""How generation is trained and measured."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field

from ...core.validated import Count, Several, Text, Validated
from ...core.validation import LARGEST

#: What answers are compared by, see :mod:`.measures`.
Measure: TypeAlias = Literal[
    "exact_match", "vqa_accuracy", "anls", "relaxed_accuracy", "choice", "choice_by_token", "likelihood"
]
#: Where keys and values of earlier tokens stand, see :class:`GenerationSettings`.
Cache: TypeAlias = Literal["dynamic", "static"]


class GenerationSettings(Validated):
    """Settings of generation.

    Attributes:
        prompt: what is asked about an image of a record with captions; goes before the question of records with
            questions. ``None``: captions are asked for by a usual sentence, questions stand alone.
        system: a system turn before conversations that have none.
        measure: the headline: ``exact_match``, ``vqa_accuracy`` (soft scores), ``anls`` or ``relaxed_accuracy`` of
            written answers; ``choice`` among the options of a record by log-likelihood, or ``choice_by_token``, by its
            mean over the tokens; or the ``likelihood`` of right answers, for which nothing is written. ``None``:
            ``exact_match``, of captions ``likelihood``.
        max_new_tokens: tokens of a written answer at most.
        stop: texts at which a written answer ends; they are no part of it.
        cache: of keys and values while answers are written: ``dynamic`` grows with them, ``static`` has its whole size
            from the beginning, where the model has one.
        max_length: tokens of a conversation in training at most. Text is cut at its end; the tokens of images never.
        max_pixels: of an image, height times width.
        larger_images: ``refuse`` the records that have some, or ``shrink`` the images in proportion.
        image_settings: of the model's own image processor, in the place of those in its file: fewer pixels or tiles are
            fewer image tokens. Exports have them, see :mod:`.image_settings`.
    """

    prompt: Text | None = None
    system: Text | None = None
    measure: Measure | None = None
    max_new_tokens: Count = 32
    stop: Several[Text] = ()
    cache: Cache = "dynamic"
    max_length: Count = 2048
    max_pixels: int | None = Field(default=None, ge=1, le=LARGEST)
    larger_images: Literal["refuse", "shrink"] = "refuse"
    image_settings: dict[str, Any] = Field(default={})
