"""BridgeTower: two encoders, every upper layer of which feeds a layer of cross-attention (Xu et al., 2023).

Weights, configuration and layers are transformers' own. :class:`LeanBridgeTowerModel` runs them: an image is encoded
once for all of its texts, frozen encoders build no autograd graph, images may be of any size, and hidden states and
attention weights are returned only if asked for.

Fewer patches go on where blocks of the vision tower say so. A fusion layer adds the stream of its layer of the tower to
that of the fusion layer before, token by token, so all fusion layers must read the same patches: those that are left
before the first stream that is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TypedDict

import torch
from torch import Tensor, nn
from transformers import BridgeTowerModel
from transformers.models.bridgetower.modeling_bridgetower import BridgeTowerModelOutput
from transformers.utils import can_return_tuple

from ...layers.token_reduction import Tokens
from ..frozen_encoders import no_graph_if_frozen
from ..head_inputs import Encoded, for_each_text, pair_up

if TYPE_CHECKING:
    from typing_extensions import Unpack

Streams = tuple[Tensor, Tensor]
_CLASS_TOKEN = 1


class Options(TypedDict, total=False):
    """Further arguments of :meth:`LeanBridgeTowerModel.forward`, by name.

    Attributes:
        image_embeds: embedded patches ``(images, patches, width of the vision tower)`` instead of pixels.
        image_token_type_idx: row of the token-type table that is added to the image; ``None``: 1.
        image_type: ``(width,)``, added to the image instead of a row of the table.
        interpolate_pos_encoding: whether images may be of another size than the configuration's.
        output_hidden_states, output_attentions: what else to return; ``None``: as the configuration says.
        pixel_mask, inputs_embeds: not used, as in transformers.
    """

    image_embeds: Tensor | None
    image_token_type_idx: int | None
    image_type: Tensor | None
    interpolate_pos_encoding: bool
    output_hidden_states: bool | None
    output_attentions: bool | None
    pixel_mask: Tensor | None
    inputs_embeds: Tensor | None


class LeanBridgeTowerModel(BridgeTowerModel):
    """The same function as transformers' ``BridgeTowerModel``, with the same weights."""

    # transformers' own children, which it does not annotate
    text_model: Any
    vision_model: Any
    token_type_embeddings: nn.Embedding

    @can_return_tuple  # type: ignore[untyped-decorator]
    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        **options: Unpack[Options],
    ) -> BridgeTowerModelOutput:
        """Encode and fuse texts and images.

        Args:
            input_ids: ``(texts, tokens)``.
            attention_mask: 1 where there is no padding, ``(texts, tokens)``; ``None``: no padding.
            token_type_ids: not used, as in transformers.
            pixel_values: ``(images, channels, height, width)``. There may be several texts per image: the first ones
                belong to the first image, and so on. Every image is encoded once.
            options: see :class:`Options`.

        Returns:
            As transformers' class, with ``hidden_states`` (text encoder's, vision tower's, pairs after every fusion
            layer) and ``attentions`` (pairs of every fusion layer's weights to its own stream) only if asked for.

        Raises:
            InputError: no images, the number of texts is not a multiple of that of the images, or
                ``output_attentions`` with a skipped fusion layer.
        """
        keep = self._asked_for("output_hidden_states", options.get("output_hidden_states"))
        weigh = self._asked_for("output_attentions", options.get("output_attentions"))
        embedded = options.get("image_embeds")
        images, share = pair_up(input_ids, pixel_values if embedded is None else embedded)
        if embedded is None:
            images = self._embed(images, options.get("interpolate_pos_encoding", True))
        mask = None if attention_mask is None else _additive(attention_mask, images.dtype)
        image_type = options.get("image_type")
        if image_type is None:
            image_type = self.token_type_embeddings.weight[options.get("image_token_type_idx") or 1]
        encoded: Iterable[tuple[Tensor, Tokens]] = zip(
            self._text_states(input_ids, mask), self._image_states(images), strict=True
        )
        if keep:
            encoded = list(encoded)
        fused: list[Streams] = []
        attentions: list[Any] = []
        for streams, weights in self._fuse(islice(encoded, self._not_fused(), None), image_type, share, mask, weigh):
            fused += [streams] if keep else []
            attentions += [weights] if weigh else []
        return BridgeTowerModelOutput(
            text_features=streams[0],
            image_features=streams[1],
            pooler_output=self.get_cls_features(*streams),
            hidden_states=(*_states(encoded), tuple(fused)) if keep else None,
            attentions=tuple(attentions) if weigh else None,
        )

    def encode_text(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """The text streams that fusion layers read, ``(texts, tokens, width)`` each; arguments ``(texts, tokens)``."""
        states = self._text_states(input_ids, _additive(attention_mask, self.dtype))
        return tuple(islice(states, self._not_fused(), None))

    def encode_image(self, pixel_values: Tensor) -> tuple[Tensor, ...]:
        """The image streams that the fusion layers read, ``(images, patches, width)`` each; where fewer patches go on,
        also how many each token stands for, ``(images, patches)``."""
        states = self._image_states(self._embed(pixel_values, interpolate=True))
        read = list(islice(states, self._not_fused(), None))
        sizes = [] if read[0].alone else [read[0].sizes]
        return (*(tokens.stream for tokens in read), *sizes)

    def fuse(self, texts: Encoded, attention_mask: Tensor, images: Encoded) -> Tensor:
        """Pooled text and image, ``(texts, 2 · width)``.

        Args:
            texts: of :meth:`encode_text`.
            attention_mask: theirs.
            images: of :meth:`encode_image`; as many as texts, or an integer fraction of them.
        """
        states, sizes = images[: len(texts)], images[len(texts) :]
        tokens = [Tokens.of(state, None, _CLASS_TOKEN) for state in states]
        if sizes:
            tokens = [each._replace(sizes=sizes[0], alone=False) for each in tokens]
        encoded = list(zip(texts, tokens, strict=True))
        share = len(attention_mask) // len(states[0])
        mask, image_type = _additive(attention_mask, self.dtype), self.token_type_embeddings.weight[1]
        for streams, _ in self._fuse(encoded, image_type, share, mask, weigh=False):  # noqa: B007
            pass
        pooled: Tensor = self.get_cls_features(*streams)
        return pooled

    def _asked_for(self, name: str, given: bool | None) -> bool:
        """Whether to return something: as the caller says, else as the configuration says."""
        return bool(getattr(self.config, name) if given is None else given)

    def _not_fused(self) -> int:
        """Number of lower encoder streams, embeddings included, that no fusion layer reads."""
        return 1 + len(self.text_model.encoder.layer) - int(self.config.num_hidden_layers)

    def _embed(self, pixel_values: Tensor, interpolate: bool) -> Tensor:
        """Patches as the vision tower has them, ``(images, patches, width)`` after its first LayerNorm."""
        with no_graph_if_frozen(self.vision_model):
            embedded = self.vision_model.visual.forward_pre(pixel_values, interpolate_pos_encoding=interpolate)
        result: Tensor = embedded.transpose(0, 1)
        return result

    def _text_states(self, input_ids: Tensor, mask: Tensor | None) -> Iterator[Tensor]:
        """The text stream ``(texts, tokens, width)``, embedded and after every layer of its encoder."""
        with no_graph_if_frozen(self.text_model):
            text = self.text_model.embeddings(input_ids=input_ids)
        yield text
        for layer in self.text_model.encoder.layer:
            with no_graph_if_frozen(self.text_model):
                text = layer(text, mask)
            yield text

    def _image_states(self, images: Tensor) -> Iterator[Tokens]:
        """The same of the image, ``(images, patches, width)``."""
        tokens = Tokens.of(images, None, _CLASS_TOKEN)
        yield tokens
        blocks = self.vision_model.visual.transformer.resblocks
        for number in range(len(self.text_model.encoder.layer)):  # as many as fusion reads
            with no_graph_if_frozen(self.vision_model):
                reduction = getattr(blocks[number], "reduction", None)
                if reduction is not None:
                    tokens = reduction(tokens)
                mask = tokens.mask
                # patches first, as the vision tower computes
                stream = blocks[number](tokens.stream.transpose(0, 1), None if mask is None else mask[:, 0, 0])
            tokens = tokens._replace(stream=stream.transpose(0, 1))
            yield tokens

    def _fuse(
        self, encoded: Iterable[tuple[Tensor, Tokens]], image_type: Tensor, share: int, mask: Tensor | None, weigh: bool
    ) -> Iterator[tuple[Streams, Any]]:
        """Both streams ``(texts, tokens, width)`` after every fusion layer, and its attention weights."""
        streams: Streams | None = None
        for number, (text, tokens) in enumerate(encoded):
            image, image_mask = self.vision_model.visual.ln_post(tokens.stream), tokens.mask
            image = self._transform(self.cross_modal_image_transform, number)(image) + image_type
            if share > 1:
                image = for_each_text(image, share)
                image_mask = None if image_mask is None else for_each_text(image_mask, share)
            text = self._transform(self.cross_modal_text_transform, number)(text) + self.token_type_embeddings.weight[0]
            text, image = self._bridge(number, text, image, streams)
            # both read the streams of the bridge
            text_output = self.cross_modal_text_layers[number](text, image, mask, image_mask, output_attentions=weigh)
            image_output = self.cross_modal_image_layers[number](image, text, image_mask, mask, output_attentions=weigh)
            streams = text_output[0], image_output[0]
            yield streams, (text_output[1], image_output[1])

    def _transform(self, transform: Any, number: int) -> Any:
        """The projection into the width of the fusion layers, which may be one for all of them."""
        return transform if self.config.share_cross_modal_transformer_layers else transform[number]

    def _bridge(self, number: int, text: Tensor, image: Tensor, below: Streams | None) -> Streams:
        """The input of a fusion layer: the encoders' streams, from the second layer on joined with those of the layer
        before."""
        if below is None:
            return self.cross_modal_text_layernorm(text), self.cross_modal_image_layernorm(image)
        return (
            self.cross_modal_text_link_tower[number - 1](text, below[0], None),
            self.cross_modal_image_link_tower[number - 1](image, below[1], None),
        )


def _states(encoded: Iterable[tuple[Tensor, Tokens]]) -> Iterator[tuple[Tensor, ...]]:
    """The encoders' streams as transformers gives them: of the image with patches first."""
    for pair in zip(*encoded, strict=True):
        yield tuple(state.stream.transpose(0, 1) if isinstance(state, Tokens) else state for state in pair)


def _additive(attention_mask: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where there is no padding, a very negative number elsewhere, ``(texts, 1, 1, tokens)``."""
    padding = attention_mask[:, None, None, :] == 0
    return torch.zeros_like(padding, dtype=dtype).masked_fill(padding, torch.finfo(dtype).min)


def bridgetower_of(model: Any) -> BridgeTowerModel:
    """The ``BridgeTowerModel`` inside any of the BridgeTower classes, or ``model`` itself."""
    return model if isinstance(model, BridgeTowerModel) else model.bridgetower
