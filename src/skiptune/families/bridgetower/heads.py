"""BridgeTower with the heads of all tasks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import BridgeTowerConfig, BridgeTowerPreTrainedModel
from transformers import initialization as init
from transformers.models.bridgetower.modeling_bridgetower import BridgeTowerITMHead

from ..frozen_encoders import FrozenEncoders
from ..head_inputs import Encoded, refuse_padding
from ..two_stream_classifiers import (
    ClassificationHead,
    QuestionAnsweringHead,
    VisualEntailmentHead,
    VisualReasoningHead,
)
from ..two_stream_head import Fused, Inputs, States
from ..two_stream_ranking import RankHead
from .modeling import LeanBridgeTowerModel


class BridgeTowerTask(FrozenEncoders, BridgeTowerPreTrainedModel):
    """BridgeTower as the body of a model with a head.

    Attributes:
        images: number of images per text. A second one has a token type of its own, ``second_image_type`` ``(width,)``,
            which starts as a copy of the first one's.
    """

    images = 1

    def __init__(self, config: BridgeTowerConfig) -> None:
        super().__init__(config)
        self.bridgetower = LeanBridgeTowerModel(config)
        second = nn.Parameter(torch.zeros(config.hidden_size)) if self.images == 2 else None
        self.register_parameter("second_image_type", second)

    @property
    def pooled_width(self) -> int:
        """Of what ``fuse`` pools."""
        return 2 * int(self.config.hidden_size)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if module is self and self.second_image_type is not None:
            init.copy_(self.second_image_type, self.bridgetower.token_type_embeddings.weight[1])

    def fuse(self, inputs: Inputs, image_number: int) -> Fused:
        """Run the body; inputs as in :meth:`LeanBridgeTowerModel.forward`."""
        body = self.bridgetower(
            inputs.input_ids,
            inputs.attention_mask,
            pixel_values=inputs.pixel_values,
            image_type=self.second_image_type if image_number else None,
            output_hidden_states=inputs.output_hidden_states,
        )
        texts: States = None
        images: States = None
        if body.hidden_states is not None:
            texts, images = zip(*body.hidden_states[2], strict=True)
        return Fused(body.pooler_output, texts, images)


class BridgeTowerForQuestionAnswering(QuestionAnsweringHead, BridgeTowerTask):
    """A classifier over ``config.num_labels`` answers, with soft scores."""


class BridgeTowerForVisualEntailment(VisualEntailmentHead, BridgeTowerTask):
    """A classifier over ``config.num_labels`` classes, three for SNLI-VE."""


class BridgeTowerForClassification(ClassificationHead, BridgeTowerTask):
    """A classifier over ``config.num_labels`` classes of one or several labels, or one number."""


class BridgeTowerForVisualReasoning(VisualReasoningHead, BridgeTowerTask):
    """NLVR2: is a statement true of two images?"""

    images = 2


class BridgeTowerForImageAndTextRanking(RankHead, BridgeTowerTask):
    """Image-text retrieval: one score per pair, compared between the texts of an image.

    transformers' ``BridgeTowerForImageAndTextRetrieval`` classifies single pairs as matching or not. Read from such a
    checkpoint, the score starts as its "match" output, and the ``MatchingHead`` is its head.
    """

    @classmethod
    def from_pretrained(cls, *args: Any, output_loading_info: bool = False, **kwargs: Any) -> Any:
        """As transformers has it."""
        model, report = _RankingFromMatching.from_pretrained(*args, output_loading_info=True, **kwargs)
        _take_matching(model, report["missing_keys"])
        del model.itm_score
        model.__class__ = cls
        return (model, report) if output_loading_info else model

    def encode_texts(self, input_ids: Tensor, attention_mask: Tensor) -> Encoded:
        """The mask and the text streams that fusion reads, ``(texts, tokens, width)``, of ``(texts, tokens)`` each."""
        return attention_mask, *self.bridgetower.encode_text(input_ids, attention_mask)

    def encode_images(self, pixel_values: Tensor, pixel_mask: Tensor | None = None) -> Encoded:
        """Of :meth:`LeanBridgeTowerModel.encode_image`; arguments as in :meth:`forward`."""
        refuse_padding(pixel_mask)
        return self.bridgetower.encode_image(pixel_values)

    def fuse_encoded(self, texts: Encoded, images: Encoded) -> Fused:
        """Pooled text and image from encoder outputs; no hidden states."""
        mask, *states = texts
        return Fused(self.bridgetower.fuse(tuple(states), mask, images), None, None)


class _MatchingTask(BridgeTowerTask):
    """Also has transformers' matching head, from which a score that the checkpoint lacks starts."""

    def __init__(self, config: BridgeTowerConfig) -> None:
        super().__init__(config)
        if not getattr(config, "matching_loss", False):
            self._keys_to_ignore_on_load_missing = (r"^itm_score\.",)
        self.itm_score = BridgeTowerITMHead(2 * config.hidden_size)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if module is getattr(self, "rank_output", None):
            init.copy_(module.weight, self.itm_score.fc.weight[1:])
            init.copy_(module.bias, self.itm_score.fc.bias[1:])


class _RankingFromMatching(RankHead, _MatchingTask):
    """The class that a checkpoint is read into."""


@torch.no_grad()
def _take_matching(model: Any, missing: Any) -> None:
    """Start a ``MatchingHead`` that the checkpoint lacks from the checkpoint's own matching head, if there is one."""
    lacking = {f"{name}.{kind}" for name in ("itm_score.fc", "matching") for kind in ("weight", "bias")} & set(missing)
    theirs = {name for name in lacking if name.startswith("itm_score")}
    ours = lacking - theirs
    if ours and not theirs:
        for kind in ("weight", "bias"):
            getattr(model.matching, kind).copy_(getattr(model.itm_score.fc, kind))
        missing.difference_update(ours)
    missing.difference_update(theirs)
