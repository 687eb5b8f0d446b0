"""The model that costs are stated for, where no task is named."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel

from .loading import load_family, load_model


def load_usual(name: str, labels: int, **options: Any) -> PreTrainedModel:
    """A model that answers questions, or, of a family without heads for tasks, the one that is trained by a ``Trainer``
    of one's own: of decoders, it generates text.

    Args:
        name: as :func:`skiptune.load_model` takes it.
        labels: answers of the head.
        options: of :func:`skiptune.load_model`.

    Raises:
        InputError: unknown name, or no family covers it.
    """
    family = load_family(name)
    if family.generates:
        return load_model(name, "generation", **options)
    if "vqa" in family.model_classes or not family.bare_classes:
        return load_model(name, family.model_class("vqa"), num_labels=labels, **options)
    return load_model(name, family.bare_classes[0], **options)
