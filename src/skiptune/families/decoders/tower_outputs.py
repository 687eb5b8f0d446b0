"""Which of an image tower's outputs a model reads."""

from __future__ import annotations

from typing import Any


def unread_layers(config: Any) -> tuple[str, ...]:
    """Layers of the image tower above the last one whose output the model reads (``vision_feature_layer``).

    LLaVA reads the last but one of CLIP's layers, and transformers computes the last one all the same. Skipping such a
    layer changes nothing.
    """
    number, read = config.vision_config.num_hidden_layers, config.vision_feature_layer
    places = [read] if isinstance(read, int) else read
    # of the layers' inputs, in order, and the last one's output
    last = max(place if place >= 0 else number + 1 + place for place in places)
    return tuple(f"image.{layer}" for layer in range(last, number))
