"""The common part of heads for models with two streams, text and image: inputs, outputs, the loss.

The names of their layers are those of transformers' ViLT classes. A family puts a head's class before its own class
with the body, whose ``fuse`` the head calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from .head_inputs import refuse_padding

States: TypeAlias = tuple[Tensor, ...] | None


@dataclass
class Fused:
    """What ``fuse`` returns.

    Attributes:
        pooled: text then image, ``(texts, 2 · width)``; CLIP and SigLIP: their product too.
        text_states, image_states: if asked for, the streams after every fusion layer; METER: before the first too.
        closeness: scaled cosine of the encoders' text and image vectors, ``(texts,)``, for a retrieval model that adds
            it.
    """

    pooled: Tensor
    text_states: States
    image_states: States
    closeness: Tensor | None = None


class Inputs(NamedTuple):
    """The inputs of a head, as :meth:`TwoStreamHead.forward` explains them."""

    input_ids: Tensor
    attention_mask: Tensor | None
    pixel_values: Tensor | None
    output_hidden_states: bool | None


#: ``fuse(inputs, image_number)``; ``image_number`` is 1 for the second image of visual reasoning, else 0.
Fuse: TypeAlias = Callable[[Inputs, int], Fused]


@dataclass
class TaskOutput(ModelOutput):
    """The output of the heads.

    Attributes:
        loss: a number, if labels were given.
        logits: ``(batch, labels)``.
        text_hidden_states, image_hidden_states: if asked for, the streams after every fusion layer (METER: before the
            first too), ``(texts, tokens, width)``; visual reasoning: those of the first image's pass.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    text_hidden_states: States = None
    image_hidden_states: States = None


class TwoStreamHead(PreTrainedModel):
    """A head on the pooled text and image. A task's class has a layer and says how it is used: ``logits_of``.

    Attributes:
        pooled_width: of what ``fuse`` pools.
    """

    fuse: Fuse
    pooled_width: int

    def logits_of(self, inputs: Inputs) -> tuple[Tensor, Fused]:
        """Logits ``(batch, labels)`` and what they were computed from."""
        raise NotImplementedError

    def loss_of(self, logits: Tensor, labels: Tensor, fused: Fused) -> Tensor:
        """The cross-entropy of class numbers ``(batch,)``, unless the class says otherwise."""
        return cross_entropy(logits, labels)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        pixel_mask: Tensor | None = None,
    ) -> TaskOutput:
        """Classify texts about images.

        Args:
            input_ids: ``(batch, tokens)``; retrieval also takes several texts per image, ``(batch, texts, tokens)``.
            attention_mask: 1 where there is no padding, the same shape; ``None``: no padding.
            pixel_values: ``(batch, channels, height, width)``; visual reasoning: ``(batch, 2, channels, …)``.
            labels: as the class says.
            output_hidden_states: also return the streams; ``None``: as the configuration says.
            pixel_mask: must be all ones; some processors add it.

        Raises:
            InputError: padded images, or another number of images than the texts need.
        """
        refuse_padding(pixel_mask)
        logits, fused = self.logits_of(Inputs(input_ids, attention_mask, pixel_values, output_hidden_states))
        loss = None if labels is None else self.loss_of(logits, labels, fused)
        return TaskOutput(loss, logits, fused.text_states, fused.image_states)
