"""What can be skipped in a BridgeTower: its fusion layers and, for a global search, the layers of both encoders.

The classes of this file replace transformers' own on an existing model. They compute the same function; attention to
text and between the streams runs on ``scaled_dot_product_attention``, the vision tower's does so by itself.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn
from transformers import BridgeTowerModel
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.bridgetower.modeling_bridgetower import (
    BridgeTowerBertCrossLayer,
    BridgeTowerCrossAttention,
    BridgeTowerResidualAttention,
    BridgeTowerSelfAttention,
    BridgeTowerTextLayer,
)

from ...core.errors import InputError
from ...layers.blocks import SkippableBlock
from ...layers.token_reduction import Reader
from ..attention import Projections, attend
from .modeling import LeanBridgeTowerModel, bridgetower_of

WHY_NOT_BEFORE = (
    "fusion layers add the streams of encoder and fusion token by token, so that all of them read the same image "
    "tokens; these become fewer in the blocks of clip before the first that is fused (scope: global)"
)


class FusedSelfAttention(BridgeTowerSelfAttention):
    """Attention of a stream to itself."""

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, cache: Any = None, **kwargs: Any
    ) -> tuple[Tensor, Tensor | None]:
        """Map ``(batch, tokens, width)`` to the same shape; attention weights follow if asked for.

        ``attention_mask`` is added to the scores, ``(batch, 1, 1, tokens)``.
        """
        if kwargs.get("output_attentions") or cache is not None:
            weighed: tuple[Tensor, Tensor | None] = super().forward(
                hidden_states, attention_mask=attention_mask, cache=cache, **kwargs
            )
            return weighed
        return _attend(self, hidden_states, hidden_states, attention_mask), None


class FusedCrossAttention(BridgeTowerCrossAttention):
    """Attention of a stream to the other one."""

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        cache: Any = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """As :class:`FusedSelfAttention`; ``encoder_hidden_states`` and the mask are the other stream's."""
        if kwargs.get("output_attentions") or cache is not None or encoder_hidden_states is None:
            weighed: tuple[Tensor, Tensor | None] = super().forward(
                hidden_states, encoder_hidden_states, attention_mask, cache, **kwargs
            )
            return weighed
        return _attend(self, hidden_states, encoder_hidden_states, attention_mask), None


def _attend(attention: Any, x: Tensor, other: Tensor, mask: Tensor | None) -> Tensor:
    dropout = attention.dropout.p if attention.training else 0.0
    mask = None if mask is None else mask.to(x.dtype)
    projections = Projections(attention.query, attention.key, attention.value, attention.attention_head_size)
    return attend(projections, x, other, mask, dropout)


class SkippableCrossLayer(SkippableBlock, GradientCheckpointingLayer, BridgeTowerBertCrossLayer):
    """A fusion layer of one modality, post-LayerNorm, with three adapters; or skipped: ``x + A_skip(x)``.

    Kept: ``h = LN(SelfAttn(x) + x + A0(x))``, ``h = LN(CrossAttn(h, other) + h + A1(h))``, and
    ``LN(W2 gelu(W1 h) + h) + A2(h)``, whose adapter comes after the LayerNorm. All as in METER's.
    """

    mask_position = 2
    takes_prompts = takes_parallel = True
    # transformers' own children, which it does not annotate
    attention: Any
    crossattention: Any
    intermediate: Any
    output: Any

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The stream ``(batch, tokens, width)`` after this layer, and the weights of both attentions if asked for.

        Args:
            hidden_states: this modality's stream.
            encoder_hidden_states: the other modality's, ``(batch, other tokens, width)``.
            attention_mask, encoder_attention_mask: theirs, added to the scores, ``(batch, 1, 1, tokens)``.
            output_attentions: whether to return weights.

        Raises:
            InputError: ``output_attentions`` together with a skipped layer, which attends to nothing.
        """
        x = hidden_states
        if self.skipped or self.prompts is not None:
            _refuse_weights(output_attentions)
        if self.skipped:
            return self.step_over(x), None, None
        weights: Tensor | None = None
        if self.prompts is None:
            context, weights = self.attention.self(
                x, attention_mask=attention_mask, output_attentions=output_attentions
            )
        else:
            context = _attend(self.attention.self, x, *self.prompts.behind(x, attention_mask))
        x = _add_and_norm(self.attention.output, context, x, self, 0)
        context, other_weights = self.crossattention.self(
            x, encoder_hidden_states, attention_mask=encoder_attention_mask, output_attentions=output_attentions
        )
        x = _add_and_norm(self.crossattention.output, context, x, self, 1)
        forwarded = self.beside(self.output.dropout(self.output.dense(self.intermediate(x))), x)
        return self.add_adapter(self.output.LayerNorm(forwarded + x), x, 2), weights, other_weights


def _add_and_norm(output: Any, context: Tensor, x: Tensor, block: SkippableBlock, sublayer: int) -> Tensor:
    """``LN(dense(context) + x + A(x))``."""
    result: Tensor = output.LayerNorm(block.adapt(x, output.dropout(output.dense(context)), sublayer))
    return result


class SkippableTextLayer(SkippableBlock, BridgeTowerTextLayer):
    """The text encoder's own layer, or skipped: ``x + A_skip(x)``. It has no block adapters."""

    mask_position = 1

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Map ``(batch, tokens, width)`` to the same shape; further arguments as transformers' class has them.

        Raises:
            InputError: ``output_attentions`` together with a skipped layer, which attends to nothing.
        """
        if self.skipped:
            _refuse_weights(kwargs.get("output_attentions"))
            return self.step_over(hidden_states)
        output: Tensor = super().forward(hidden_states, *args, **kwargs)
        return output


class SkippableVisionLayer(SkippableBlock, GradientCheckpointingLayer, BridgeTowerResidualAttention):
    """The vision tower's own block, or skipped: ``x + A_skip(x)``. It has no block adapters."""

    # transformers' own children, which it does not annotate
    attn: nn.MultiheadAttention
    ln_1: nn.LayerNorm

    def forward(self, hidden_state: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Map ``(patches, batch, width)`` to the same shape. The mask is added to the scores, ``(batch, patches)``."""
        if self.skipped:
            return self.step_over(hidden_state)
        output: Tensor = super().forward(hidden_state, attention_mask)
        return output

    def attention(self, hidden_state: Tensor, attention_mask: Tensor | None) -> Tensor:
        """As transformers' class, which takes no mask but of booleans."""
        if attention_mask is None:
            plain: Tensor = super().attention(hidden_state, attention_mask)
            return plain
        mask = attention_mask.to(hidden_state.dtype)
        read: Tensor
        read, _ = self.attn(hidden_state, hidden_state, hidden_state, need_weights=False, key_padding_mask=mask)
        return read

    def reader(self) -> Reader:
        return Reader(self.ln_1, partial(self._projected, 0), partial(self._projected, 1), int(self.attn.head_dim))

    def _projected(self, part: int, x: Tensor) -> Tensor:
        """Queries (part 0) or keys (1), ``(batch, patches, width)``."""
        weight, bias = self.attn.in_proj_weight.chunk(3)[part], self.attn.in_proj_bias.chunk(3)[part]
        return nn.functional.linear(x, weight, bias)


def _refuse_weights(output_attentions: bool | None) -> None:
    if output_attentions:
        raise InputError("output_attentions=True: a skipped block has no attention weights; leave it off")


def adopt(model: nn.Module) -> None:
    """Switch a BridgeTower over to the classes of this package, except the layers of its encoders, in place.

    Weights and state-dict keys stay.
    """
    bridgetower = bridgetower_of(model)
    if type(bridgetower) is BridgeTowerModel:
        bridgetower.__class__ = LeanBridgeTowerModel
    for layer in (*bridgetower.cross_modal_text_layers, *bridgetower.cross_modal_image_layers):
        SkippableCrossLayer.adopt(layer)
    for module in bridgetower.modules():
        if type(module) is BridgeTowerSelfAttention:
            module.__class__ = FusedSelfAttention
        elif type(module) is BridgeTowerCrossAttention:
            module.__class__ = FusedCrossAttention


def adopt_encoders(model: nn.Module) -> None:
    """Make the layers of both encoders skippable too, in place."""
    bridgetower = bridgetower_of(model)
    for layer in bridgetower.text_model.encoder.layer:
        SkippableTextLayer.adopt(layer)
    for layer in bridgetower.vision_model.visual.transformer.resblocks:
        SkippableVisionLayer.adopt(layer)


def blocks(model: nn.Module) -> dict[str, SkippableBlock]:
    """``text.0`` … ``image.0`` …; then ``roberta.0`` … ``clip.0`` … where adopted. The same names as METER's."""
    bridgetower = bridgetower_of(model)
    fusion = {"text": bridgetower.cross_modal_text_layers, "image": bridgetower.cross_modal_image_layers}
    encoders = {
        "roberta": bridgetower.text_model.encoder.layer,
        "clip": bridgetower.vision_model.visual.transformer.resblocks,
    }
    return {
        f"{stack}.{number}": layer
        for stack, layers in {**fusion, **encoders}.items()
        for number, layer in enumerate(layers)
        if stack in fusion or isinstance(layer, SkippableBlock)
    }


def reducible(model: nn.Module) -> tuple[str, ...]:
    """Blocks of the vision tower where adopted: those up to the first whose output is fused."""
    bridgetower = bridgetower_of(model)
    fused = range(bridgetower.config.num_hidden_layers)
    up_to = len(bridgetower.text_model.encoder.layer) - len(fused)
    return tuple(name for number in range(up_to + 1) if (name := f"clip.{number}") in blocks(model))


def below(model: nn.Module) -> list[nn.Module]:
    """The layers of both encoders and their embeddings; only the embeddings, if the layers can be skipped."""
    bridgetower = bridgetower_of(model)
    text, visual = bridgetower.text_model, bridgetower.vision_model.visual
    layers = (*text.encoder.layer, *visual.transformer.resblocks)
    first: list[nn.Module] = [text.embeddings, visual.embeddings, visual.ln_pre]
    return first if isinstance(text.encoder.layer[0], SkippableBlock) else [*first, *layers]
