"""METER: RoBERTa and CLIP's vision tower, then layers in which both streams attend to each other (Dou et al., 2022).

The encoders are transformers' own. The fusion layers are ours, on ``scaled_dot_product_attention``, and skippable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import CLIPVisionModel, RobertaModel
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.utils import ModelOutput

from ...layers.adapters import Prompts
from ...layers.blocks import SkippableBlock
from ...layers.token_reduction import Reader, Tokens
from ..attention import Projections, attend
from ..frozen_encoders import FrozenEncoders, no_graph_if_frozen
from ..head_inputs import Encoded, for_each_text, pair_up
from .configuration import MeterConfig
from .patches import fewer_patches, of_patches, reduces
from .stem import ConvolutionalStem


class MeterAttention(nn.Module):
    """Multi-head attention of one stream to another, or to itself, up to and including the output projection."""

    def __init__(self, config: MeterConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.head_width = width // config.num_attention_heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.dense = nn.Linear(width, width)
        self.layer_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, other: Tensor, other_mask: Tensor | None) -> Tensor:
        """``dense(context)``, ``(batch, tokens, width)``; the caller adds the residual and applies ``layer_norm``.

        Args:
            x: the stream of the queries, ``(batch, tokens, width)``.
            other: the stream of keys and values, ``(batch, other tokens, width)``.
            other_mask: true where ``other`` is no padding, or added to the scores, ``(batch, 1, 1, other tokens)``.
        """
        dropout = self.dropout.p if self.training else 0.0
        projections = Projections(self.query, self.key, self.value, self.head_width)
        context = attend(projections, x, other, other_mask, dropout)
        result: Tensor = self.dropout(self.dense(context))
        return result


class MeterFusionLayer(SkippableBlock, GradientCheckpointingLayer):
    """A fusion layer of one modality, post-LayerNorm, with three adapters; or skipped: ``x + A_skip(x)``.

    Kept: ``h = LN(SelfAttn(x) + x + A0(x))``, ``h = LN(CrossAttn(h, other) + h + A1(h))``, and
    ``LN(W2 gelu(W1 h) + h) + A2(h)``, whose adapter comes after the LayerNorm.
    """

    mask_position = 2
    takes_prompts = takes_parallel = True

    def __init__(self, config: MeterConfig) -> None:
        super().__init__()
        self.start_without_adapters()
        width = config.hidden_size
        self.self_attention = MeterAttention(config)
        self.cross_attention = MeterAttention(config)
        self.intermediate = nn.Linear(width, config.intermediate_size)
        self.activation = nn.GELU()
        self.output = nn.Linear(config.intermediate_size, width)
        self.layer_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, other: Tensor, mask: Tensor | None, other_mask: Tensor | None) -> Tensor:
        """The stream ``x`` ``(batch, tokens, width)`` after this layer; ``other`` is the other modality's stream.

        Masks are true where there is no padding, or added to the scores, ``(batch, 1, 1, tokens of that stream)``.
        """
        if self.skipped:
            return self.step_over(x)
        own, own_mask = (x, mask) if self.prompts is None else self.prompts.behind(x, mask)
        x = self.self_attention.layer_norm(self.adapt(x, self.self_attention(x, own, own_mask), 0))
        x = self.cross_attention.layer_norm(self.adapt(x, self.cross_attention(x, other, other_mask), 1))
        forwarded = self.beside(self.dropout(self.output(self.activation(self.intermediate(x)))), x)
        return self.add_adapter(self.layer_norm(forwarded + x), x, 2)

    def reader(self) -> Reader:
        attention = self.self_attention
        return Reader(None, attention.query, attention.key, attention.head_width)


class MeterPooler(nn.Module):
    """``tanh(dense(first token))``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, tokens, width)`` to ``(batch, width)``."""
        return torch.tanh(self.dense(x[:, 0]))


@dataclass
class MeterOutput(ModelOutput):
    """What :class:`MeterModel` returns.

    Attributes:
        pooler_output: text then image, pooled, ``(batch, 2 · width)``.
        text_features, image_features: the streams after the last layer, ``(batch, tokens, width)``.
        text_encoder_output, image_encoder_output: outputs of RoBERTa and CLIP, ``(batch, tokens, their width)``.
        image_sizes: of CLIP's, where fewer patches go on, see :meth:`MeterModel.encode_patches`.
        text_hidden_states, image_hidden_states: if asked for, the streams before the first and after every fusion
            layer.
    """

    pooler_output: Tensor | None = None
    text_features: Tensor | None = None
    image_features: Tensor | None = None
    text_encoder_output: Tensor | None = None
    image_encoder_output: Tensor | None = None
    image_sizes: Tensor | None = None
    text_hidden_states: tuple[Tensor, ...] | None = None
    image_hidden_states: tuple[Tensor, ...] | None = None


class MeterPreTrainedModel(FrozenEncoders):
    """What transformers needs to know to make, load and save METER models."""

    config_class = MeterConfig
    base_model_prefix = "meter"
    _supports_sdpa = True
    _keys_to_ignore_on_load_missing = ("token4classifier",)  # has a start of its own, see start_embedding
    _keys_to_ignore_on_load_unexpected: tuple[str, ...] = ("token4classifier",)
    _no_split_modules = ("MeterFusionLayer", "RobertaLayer", "CLIPEncoderLayer")

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, MeterModel) and module.token4classifier is not None:
            init.copy_(module.token4classifier, module.start_embedding().view(1, 1, -1))


class MeterModel(MeterPreTrainedModel):
    """METER without a task head."""

    def __init__(self, config: MeterConfig) -> None:
        super().__init__(config)
        width, text_width = config.hidden_size, config.text_config.hidden_size
        self.roberta = RobertaModel(config.text_config, add_pooling_layer=False)
        self.clip = CLIPVisionModel(config.vision_config)
        if config.vision_stem == "efficientnet-lite0":
            self.clip.embeddings.patch_embedding = ConvolutionalStem(config.vision_config.hidden_size)
        self.text_projection = nn.Linear(text_width, width)
        self.image_projection = nn.Linear(config.vision_config.hidden_size, width)
        self.token_type_embeddings = nn.Embedding(config.modality_type_vocab_size, width)
        self.token4classifier: nn.Parameter | None = None
        if config.text_start == "token":
            self.token4classifier = nn.Parameter(torch.zeros(1, 1, width))
        self.text_layers = nn.ModuleList(MeterFusionLayer(config) for _ in range(config.num_top_layers))
        self.image_layers = nn.ModuleList(MeterFusionLayer(config) for _ in range(config.num_top_layers))
        self.text_pooler, self.image_pooler = MeterPooler(width), MeterPooler(width)
        self.post_init()

    def start_embedding(self) -> Tensor:
        """What ``token4classifier`` starts as: RoBERTa's word embedding of ``<s>``, projected if widths differ."""
        start = self.roberta.embeddings.word_embeddings.weight[self.config.text_config.bos_token_id]
        projected: Tensor = start if len(start) == self.config.hidden_size else self.text_projection(start)
        return projected

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_token_type: int = 1,
        output_hidden_states: bool | None = None,
    ) -> MeterOutput:
        """Encode and fuse texts and images.

        Args:
            input_ids: ``(texts, tokens)``.
            attention_mask: 1 where there is no padding, ``(texts, tokens)``; ``None``: no padding.
            pixel_values: ``(images, channels, height, width)``. There may be several texts per image: the first ones
                belong to the first image, and so on. Every image is encoded once.
            image_token_type: row of the token-type table that is added to the image: 2 for the second one of NLVR2.
            output_hidden_states: also return the streams after every layer; ``None``: as the configuration says.

        Raises:
            InputError: no images, or the number of texts is not a multiple of that of the images.
        """
        pixels, _ = pair_up(input_ids, pixel_values)
        text, patches = self.encode_text(input_ids, attention_mask), self.encode_patches(pixels)
        return self.fuse(text, patches, attention_mask, image_token_type, output_hidden_states)

    def fuse(
        self,
        encoded_text: Tensor,
        patches: Encoded,
        attention_mask: Tensor | None = None,
        image_token_type: int = 1,
        output_hidden_states: bool | None = None,
    ) -> MeterOutput:
        """The part of :meth:`forward` above the encoders; further arguments as there.

        Args:
            encoded_text: of :meth:`encode_text`.
            patches: of :meth:`encode_patches`; as many images as texts, or an integer fraction of them.
        """
        encoded_image, share = pair_up(encoded_text, patches[0])
        text = self._text_stream(encoded_text)
        image = self.image_projection(encoded_image) + self.token_type_embeddings.weight[image_token_type]
        tokens: Encoded = image, *patches[1:]
        if share > 1:
            tokens = tuple(for_each_text(part, share) for part in tokens)
        keep = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        streams = text, tokens[0]
        states = [streams] if keep else []
        for streams in self._layers(text, of_patches(*tokens), attention_mask):
            states += [streams] if keep else []
        text, image = streams
        text_states, image_states = zip(*states, strict=True) if keep else (None, None)
        return MeterOutput(
            pooler_output=torch.cat((self.text_pooler(text), self.image_pooler(image)), dim=-1),
            text_features=text,
            image_features=image,
            text_encoder_output=encoded_text,
            image_encoder_output=encoded_image,
            image_sizes=patches[1] if len(patches) > 1 else None,
            text_hidden_states=text_states,
            image_hidden_states=image_states,
        )

    def encode_text(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """RoBERTa's output, ``(texts, tokens, its width)``."""
        with no_graph_if_frozen(self.roberta):
            output: Tensor = self.roberta(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return output

    def encode_image(self, pixel_values: Tensor) -> Tensor:
        """CLIP's patches after its last kept block, then its final LayerNorm over all of them, not just the first.

        ``(images, channels, height, width)`` to ``(images, 1 + patches, its width)``; fewer patches, where its blocks
        say so.
        """
        if reduces(self.clip):
            return self.encode_patches(pixel_values)[0]
        with no_graph_if_frozen(self.clip):
            hidden = self.clip(pixel_values=pixel_values, interpolate_pos_encoding=True).last_hidden_state
            output: Tensor = self.clip.post_layernorm(hidden)
        return output

    def encode_patches(self, pixel_values: Tensor) -> Encoded:
        """The same, alone, or with the sizes of its tokens where fewer patches go on; see :mod:`.patches`."""
        if not reduces(self.clip):
            return (self.encode_image(pixel_values),)  # may come from a cache
        with no_graph_if_frozen(self.clip):
            return fewer_patches(self.clip, pixel_values)

    def text_vector(self, encoded: Tensor, attention_mask: Tensor | None) -> Tensor:
        """The projected mean of the tokens, of length 1, ``(texts, hidden_size)``; arguments as in :meth:`fuse`.

        Meaningful only if pre-training compared these vectors with those of images, see
        ``MeterConfig.contrast_scale``.
        """
        share = torch.ones_like(encoded[..., :1]) if attention_mask is None else attention_mask[..., None].to(encoded)
        return normalize(self.text_projection((encoded * share).sum(1) / share.sum(1)).float(), dim=-1)

    def image_vector(self, encoded: Tensor, sizes: Tensor | None = None) -> Tensor:
        """The projected mean of the patches, of length 1, ``(images, hidden_size)``; see :meth:`text_vector`. A token
        counts as often as it stands for a patch."""
        if sizes is None:
            mean = encoded.mean(1)
        else:
            share = of_patches(encoded, sizes).sizes[..., None].to(encoded)
            mean = (encoded * share).sum(1) / share.sum(1)
        return normalize(self.image_projection(mean).float(), dim=-1)

    def _text_stream(self, encoded: Tensor) -> Tensor:
        """``(texts, tokens, width)`` with the start token in place and token types added."""
        text: Tensor = self.text_projection(encoded)
        if self.token4classifier is not None:
            text = torch.cat((self.token4classifier.expand(text.shape[0], -1, -1), text[:, 1:]), dim=1)
        return text + self.token_type_embeddings.weight[0]

    def _layers(self, text: Tensor, image: Tokens, attention_mask: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Both streams after every fusion layer."""
        mask = None if attention_mask is None else attention_mask[:, None, None, :].bool()
        layers: Iterator[tuple[Any, Any]] = zip(self.text_layers, self.image_layers, strict=True)
        for text_layer, image_layer in layers:
            # both read the streams of the layer below
            if image_layer.reduction is None:
                read = text, image.stream
                text, stream = text_layer(*read, mask, image.mask), image_layer(*read[::-1], image.mask, mask)
            else:  # the image's layer first: runs that share what they have in common are told apart by it
                image = image_layer.reduction(image)
                read = text, image.stream
                stream, text = image_layer(*read[::-1], image.mask, mask), text_layer(*read, mask, image.mask)
            image = image._replace(stream=stream)
            yield text, stream


class PromptedMeterModel(MeterModel):
    """METER with learnt tokens appended to both streams before the fusion; their outputs are dropped."""

    text_prompts: Prompts
    image_prompts: Prompts

    def _layers(self, text: Tensor, image: Tokens, attention_mask: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
        tokens, patches = text.shape[1], image.stream.shape[1]
        text, _ = self.text_prompts.behind(text, None)
        longer, _ = self.image_prompts.behind(image.stream, None)
        if attention_mask is not None:
            attention_mask = nn.functional.pad(attention_mask, (0, text.shape[1] - tokens), value=1)
        for longer_text, longer_image in super()._layers(text, of_patches(longer), attention_mask):
            yield longer_text[:, :tokens], longer_image[:, :patches]


def meter_of(model: Any) -> MeterModel:
    """The ``MeterModel`` inside any of the METER classes, or ``model`` itself."""
    meter: MeterModel = model if isinstance(model, MeterModel) else model.meter
    return meter
