"""ViLT: one stack of pre-LayerNorm blocks over text tokens followed by image patches (Kim et al., 2021).

Classes of this file replace transformers' own on an existing model. :class:`SkippableViltLayer` computes the same
function with ``scaled_dot_product_attention`` and can be skipped. :class:`RasterViltEmbeddings` keeps patches in raster
order, where transformers permutes them at random, also in evaluation, and advances the global generator. Attention does
not depend on the order, so outputs are the same up to rounding. :class:`ReducingViltEncoder` lets fewer image tokens go
on where a block says so.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput
from transformers.models.vilt.modeling_vilt import ViltEmbeddings, ViltEncoder, ViltLayer, ViltModel

from ...core.errors import InputError
from ...layers.adapters import Prompts
from ...layers.blocks import SkippableBlock, real_tokens
from ...layers.token_reduction import Reader, Tokens
from ..attention import Projections, attend

#: What this thread embedded last: ``tokens`` of text, and ``columns`` of the image's patches. Several threads may ask
#: one model.
_EMBEDDED = threading.local()


class SkippableViltLayer(SkippableBlock, ViltLayer):
    """A ViLT block with two parallel adapters, or skipped: ``x + A_skip(x)`` over all text and image tokens.

    Kept: ``x = x + Attn(norm1(x)) + A0(x)``, then ``x = x + MLP(norm2(x)) + A1(x)``; the adapters read the residual
    stream before its LayerNorm.
    """

    mask_position = 1
    takes_prompts = takes_parallel = True
    # transformers' own children, which it does not annotate
    attention: Any
    intermediate: Any
    output: Any
    layernorm_before: nn.LayerNorm
    layernorm_after: nn.LayerNorm

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, output_attentions: bool = False
    ) -> tuple[Tensor, ...]:
        """Map ``(batch, tokens, width)`` to a 1-tuple of the same shape; attention weights follow if asked for.

        Raises:
            InputError: ``output_attentions`` with a skipped block, which attends to nothing, or one with prompts.
        """
        if output_attentions and (self.skipped or self.prompts is not None):
            what = "skipped block" if self.skipped else "block with prompts"
            raise InputError(f"output_attentions=True: a {what} has no attention weights; leave it off")
        if self.skipped:
            return (self.step_over(hidden_states),)
        normed = self.layernorm_before(hidden_states)
        attended, *weights = (
            self.attention(normed, attention_mask, output_attentions=True)
            if output_attentions
            else (self._attend(normed, hidden_states, attention_mask),)
        )
        hidden_states = self.adapt(hidden_states, attended, 0)
        normed = self.layernorm_after(hidden_states)
        forwarded = self.beside(self.output.dropout(self.output.dense(self.intermediate(normed))), normed)
        return (self.adapt(hidden_states, forwarded, 1), *weights)

    def reader(self) -> Reader:
        attention = self.attention.attention
        return Reader(self.layernorm_before, attention.query, attention.key, attention.attention_head_size)

    def _attend(self, x: Tensor, stream: Tensor, mask: Tensor | None) -> Tensor:
        """Self-attention of ``x``, the normed ``stream``, and attention to prompts, which are normed in the same
        way."""
        attention, output = self.attention.attention, self.attention.output
        dropout = attention.dropout.p if self.training else 0.0
        other = x
        if self.prompts is not None:
            other, mask = self.prompts.behind(stream, mask)
            other = self.layernorm_before(other)
        projections = Projections(attention.query, attention.key, attention.value, attention.attention_head_size)
        context = attend(projections, x, other, mask, dropout)
        result: Tensor = output.dropout(output.dense(context))
        return result


class ReducingViltEncoder(ViltEncoder):
    """ViLT's blocks, with fewer image tokens from block to block."""

    @property
    def reduces(self) -> bool:
        """Whether image tokens become fewer before any block."""
        blocks: list[Any] = list(self.layer)
        return any(block.reduction is not None for block in blocks)

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        **unused: Any,
    ) -> Any:
        """As transformers' class, ``(batch, tokens, width)`` to the same shape or fewer tokens."""
        blocks: list[Any] = list(self.layer)
        if not self.reduces:
            return super().forward(
                hidden_states,
                attention_mask=attention_mask,
                output_attentions=output_attentions,
                output_hidden_states=output_hidden_states,
                return_dict=return_dict,
            )
        class_token = 1
        tokens = Tokens.of(
            hidden_states, real_tokens(attention_mask), _EMBEDDED.tokens + class_token, _EMBEDDED.columns
        )
        states, attentions = [], []
        for block in blocks:
            if block.reduction is not None:
                tokens = block.reduction(tokens)
            states.append(tokens.stream)
            stream, *weights = block(tokens.stream, tokens.mask, output_attentions)
            tokens = tokens._replace(stream=stream)
            attentions += weights
        return BaseModelOutput(
            last_hidden_state=tokens.stream,
            hidden_states=(*states, tokens.stream) if output_hidden_states else None,
            attentions=tuple(attentions) if output_attentions else None,
        )


class PromptedViltEncoder(ViltEncoder):
    """ViLT's blocks with learnt tokens appended to the stream before the first one; their outputs are dropped."""

    prompts: Prompts

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, **kwargs: Any) -> Any:
        """As transformers' class: ``(batch, tokens, width)`` to the same shape."""
        longer, mask = self.prompts.behind(hidden_states, attention_mask)
        found = super().forward(longer, attention_mask=mask, **{**kwargs, "return_dict": True})
        found.last_hidden_state = found.last_hidden_state[:, : hidden_states.shape[1]]
        return found


class RasterViltEmbeddings(ViltEmbeddings):
    """ViLT's embeddings with patches in raster order, without a loop over the images and without randomness.

    Attributes:
        read_by: the encoder that they go to.
    """

    read_by: tuple[ReducingViltEncoder] | tuple[()] = ()  # a tuple, so that it is no child of this module

    def forward(self, input_ids: Tensor | None, attention_mask: Tensor, *args: Any, **kwargs: Any) -> Any:
        """As transformers' class."""
        _EMBEDDED.tokens, _EMBEDDED.columns = attention_mask.shape[1], None
        return super().forward(input_ids, attention_mask, *args, **kwargs)

    def visual_embed(
        self, pixel_values: Tensor, pixel_mask: Tensor, max_image_length: int = -1
    ) -> tuple[Tensor, Tensor, tuple[Tensor, tuple[int, int]]]:
        """Embed ``(batch, channels, height, width)`` pixels.

        Returns:
            Patch embeddings ``(batch, 1 + patches, width)`` after the image's class token, their mask
            ``(batch, 1 + patches)``, and patch coordinates ``(batch, patches, 2)`` with the size of the patch grid.
            ``patches`` is the largest number of unpadded patches in the batch; shorter images are filled up with
            their first padded patches, masked. In a compiled or exported model, and while a CUDA graph is captured,
            shapes must not depend on what the mask holds: it is the number of all patches; the model's outputs are the
            same up to rounding. It is that, too, where patches become fewer later: a share of them is then the same
            number in all these models.

        Raises:
            InputError: the configuration caps the number of patches, which means drawing them at random.
        """
        x = self.patch_embeddings(pixel_values)
        batch, width, rows, columns = x.shape
        _EMBEDDED.columns = columns
        if 0 < max_image_length < rows * columns:
            raise InputError(
                f"config.max_image_length={max_image_length} keeps a random part of the {rows * columns} patches; "
                "set it to -1 to use them all, or lower the image size"
            )
        mask = nn.functional.interpolate(pixel_mask[:, None].float(), size=(rows, columns)).long()[:, 0]
        traced = is_recorded()
        patches = x.flatten(2).transpose(1, 2) + (self._any_positions(mask) if traced else self._positions(mask, width))
        sides = (torch.arange(side, device=x.device) for side in (rows, columns))
        grid = torch.cartesian_prod(*sides).expand(batch, -1, 2)
        mask = mask.flatten(1)
        all_go_on = traced or any(encoder.reduces for encoder in self.read_by)
        if not all_go_on and not bool(mask.all()):
            longest = int(mask.sum(1).max())
            order = mask.argsort(dim=1, descending=True, stable=True)[:, :longest]
            mask = mask.gather(1, order)
            patches = patches.gather(1, order[..., None].expand(-1, -1, width))
            grid = grid.gather(1, order[..., None].expand(-1, -1, 2))
        class_token = (self.cls_token + self.position_embeddings[:, :1]).expand(batch, -1, -1)
        embedded = self.dropout(torch.cat((class_token, patches), dim=1))
        return embedded, torch.cat((mask.new_ones(batch, 1), mask), dim=1), (grid, (rows, columns))

    def _positions(self, mask: Tensor, width: int) -> Tensor:
        """Position embeddings ``(batch, rows · columns, width)``, resized to each image's own unpadded grid."""
        _, rows, columns = mask.shape
        side = self.config.image_size // self.config.patch_size
        learned = self.position_embeddings[:, 1:].transpose(1, 2).reshape(1, width, side, side)
        sizes, which = torch.unique(
            torch.stack((mask[:, :, 0].sum(1), mask[:, 0].sum(1)), dim=1), dim=0, return_inverse=True
        )
        tables = [
            nn.functional.pad(
                learned
                if (height, breadth) == (side, side)
                else nn.functional.interpolate(learned, (height, breadth), mode="bilinear", align_corners=True),
                (0, columns - breadth, 0, rows - height),
            )
            for height, breadth in sizes.tolist()
        ]
        flat = torch.cat(tables).flatten(2).transpose(1, 2)
        return flat if len(tables) == 1 else flat[which]

    def _any_positions(self, mask: Tensor) -> Tensor:
        """As :meth:`_positions`, by products of matrices whose shapes do not depend on what the mask holds."""
        side = self.config.image_size // self.config.patch_size
        learned = self.position_embeddings[0, 1:].unflatten(0, (side, side))
        down = _resizing(mask[:, :, 0].sum(1), mask.shape[1], side)
        across = _resizing(mask[:, 0].sum(1), mask.shape[2], side)
        found = torch.einsum("brh,hwd,bcw->brcd", down, learned.to(down), across)
        return found.flatten(1, 2).to(learned)


def is_recorded() -> bool:
    """Whether a forward pass is compiled, exported or captured in a CUDA graph: shapes must not depend on values."""
    if torch.compiler.is_compiling():
        return True
    begun: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return begun and torch.cuda.is_current_stream_capturing()


def _resizing(wanted: Tensor, longest: int, side: int) -> Tensor:
    """Weights of bilinear resizing with aligned corners, ``(batch, longest, side)``: from ``side`` places to ``wanted``
    ``(batch,)``, and nothing for the rest.
    """
    places = torch.arange(longest, device=wanted.device)
    read = places * (side - 1) / (wanted[:, None] - 1).clamp(min=1)
    weights = (1 - (read[..., None] - torch.arange(side, device=wanted.device)).abs()).clamp(min=0)
    return weights * (places < wanted[:, None])[..., None]


def vilt_of(model: nn.Module) -> ViltModel:
    """The ``ViltModel`` inside any of transformers' ViLT models, or ``model`` itself."""
    return model if isinstance(model, ViltModel) else model.vilt


def adopt(model: nn.Module) -> None:
    """Switch a ViLT model over to the classes of this file, in place. Weights and state-dict keys stay.

    A configuration with ``text_layer_norm_eps`` (checkpoints of the original code: 1e-12 there, 1e-6 in the blocks) is
    honoured; transformers knows one epsilon for both.
    """
    vilt = vilt_of(model)
    text = vilt.embeddings.text_embeddings
    text.LayerNorm.eps = getattr(vilt.config, "text_layer_norm_eps", text.LayerNorm.eps)
    if type(vilt.embeddings) is ViltEmbeddings:
        vilt.embeddings.__class__ = RasterViltEmbeddings
    if type(vilt.encoder) is ViltEncoder:
        vilt.encoder.__class__ = ReducingViltEncoder
        vilt.embeddings.read_by = (vilt.encoder,)
    for block in vilt.encoder.layer:
        SkippableViltLayer.adopt(block)


def add_prompts(model: nn.Module, length: int) -> None:
    """Insert ``length`` learnt tokens before the first block, in place; they go through all blocks."""
    vilt = vilt_of(model)
    vilt.encoder.__class__, vilt.embeddings.read_by = PromptedViltEncoder, ()
    vilt.encoder.prompts = Prompts(vilt.config.hidden_size, length)


def reducible(model: nn.Module) -> tuple[str, ...]:
    """All blocks; none with prompts, which stand behind the image tokens."""
    return tuple(blocks(model)) if isinstance(vilt_of(model).encoder, ReducingViltEncoder) else ()


def blocks(model: nn.Module) -> dict[str, SkippableBlock]:
    """The joint blocks by number: ``"0"`` … ``"11"``."""
    return {str(number): block for number, block in enumerate(vilt_of(model).encoder.layer)}


def below(model: nn.Module) -> list[nn.Module]:
    """The modules that run before the first block."""
    return [vilt_of(model).embeddings]
