"""The two towers as the body of a model with a head on both vectors."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...core.errors import InputError
from ..classifier import loss_by_labels
from ..head_inputs import refuse_padding
from ..two_stream_classifiers import ClassificationHead
from ..two_stream_head import Fused, Inputs, TaskOutput


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


class JointOrImageHead(ClassificationHead):
    """A classifier, or a number, on both towers' vectors; with ``config.reads_text`` false on the image's alone.

    Then there is no text tower, and the classifier is one linear layer, as transformers' models for image
    classification have it.

    Attributes:
        takes_images_alone: tells the task so.
    """

    takes_images_alone: ClassVar[bool] = True
    _keys_to_ignore_on_load_unexpected = (r"^text_model\.", r"^text_projection\.", "^logit_scale$", "^logit_bias$")

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.reads_text = getattr(config, "reads_text", True)
        if not self.reads_text:
            for name in ("text_model", "text_projection", "logit_scale", "logit_bias"):
                if hasattr(self, name):  # CLIP has no bias, SigLIP no projection
                    delattr(self, name)
            self.classifier = nn.Linear(self.pooled_width // 3, config.num_labels)
            self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """What the first tower begins with."""
        first: nn.Module = super().get_input_embeddings() if self.reads_text else self.vision_model.embeddings
        return first

    def forward(self, input_ids: Tensor | None = None, *args: Any, **kwargs: Any) -> TaskOutput:
        """As :meth:`TwoStreamHead.forward`; of images alone, texts are not read and may be left out.

        Raises:
            InputError: also no texts, for a model that reads them.
        """
        if self.reads_text:
            if input_ids is None:
                raise InputError("input_ids: none; this model reads texts, or was made with reads_text=False")
            found: TaskOutput = super().forward(input_ids, *args, **kwargs)
            return found
        return self._of_images(*args, **kwargs)

    def _of_images(
        self,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        pixel_mask: Tensor | None = None,
    ) -> TaskOutput:
        refuse_padding(pixel_mask)
        if pixel_values is None:
            raise InputError("pixel_values: none; the model needs images")
        out: Any = self.get_image_features(
            pixel_values=pixel_values, output_hidden_states=output_hidden_states, return_dict=True
        )
        vector = torch.nn.functional.normalize(out.pooler_output, dim=-1) * out.pooler_output.shape[-1] ** 0.5
        logits = self.classifier(vector)
        loss = None if labels is None else loss_by_labels(logits, labels)
        return TaskOutput(loss, logits, None, out.hidden_states)
