"""What it takes to make a task again."""

from __future__ import annotations

from typing import Any, TypedDict


class TaskSettings(TypedDict, total=False):
    """What, beside the processor, it takes to make a task again. JSON values; each task has some of them.

    Attributes:
        answers: of question answering and classification, in label order.
        several: whether a record of classification may have several labels.
        text: false for a model of images alone.
        prompts: of zero-shot classification.
        mean, deviation: of regression's values in training.
        images: of a statement, 1 or 2.
        prompt, system, measure, max_new_tokens, stop, cache, max_length, max_pixels, larger_images, image_settings: of
            generation, see :class:`skiptune.tasks.generation.settings.GenerationSettings`.
        false_texts, matching_loss, shortlist: see :class:`skiptune.tasks.retrieval_config.RetrievalConfig`.
    """

    answers: list[str]
    several: bool
    text: bool
    prompts: list[str]
    mean: float
    deviation: float
    images: int
    false_texts: int
    matching_loss: bool
    shortlist: int | None
    prompt: str | None
    system: str | None
    measure: str | None
    max_new_tokens: int
    stop: list[str]
    cache: str
    max_length: int
    max_pixels: int | None
    larger_images: str
    image_settings: dict[str, Any]
