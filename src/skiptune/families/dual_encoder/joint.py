"""The two towers as the body of a model with a head on both vectors."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

from ...core.errors import InputError
from ..two_stream_head import Fused, Inputs


class JointTowers(PreTrainedModel):
    """Two towers whose vectors a head reads. Transformers' own model comes after it.

    Classifiers read ``[text; image; text · image]`` of the vectors that the towers are compared by, each of length
    ``√width``, so that all three parts are about one in size.
    """

    def fuse(self, inputs: Inputs, image_number: int) -> Fused:
        """Run both towers; the result does not depend on ``image_number``.

        Raises:
            InputError: no images.
        """
        texts, mask, pixels, keep = inputs
        if pixels is None:
            raise InputError("pixel_values: none; the model needs images")
        out: Any = super().forward(
            input_ids=texts, attention_mask=mask, pixel_values=pixels, output_hidden_states=keep, return_dict=True
        )
        text, image = (vector * vector.shape[-1] ** 0.5 for vector in (out.text_embeds, out.image_embeds))
        states = (out.text_model_output.hidden_states, out.vision_model_output.hidden_states)
        return Fused(torch.cat((text, image, text * image), dim=-1), *states)
