"""METER with its pre-training heads: image-text contrast, image-text matching, masked words."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu

from ...core.ignored_label import IGNORED
from ...families.meter import MeterConfig
from ...families.meter.modeling import MeterModel, MeterPreTrainedModel
from ...families.meter.stem import ConvolutionalStem, Maps


class MeterForPretraining(MeterPreTrainedModel):
    """Runs on cached outputs of the frozen convolutional trunk, see :mod:`.trunk_features`.

    The contrast compares means over tokens after the projections into the fusion layers, so these begin with texts and
    images in one space.
    """

    def __init__(self, config: MeterConfig) -> None:
        super().__init__(config)
        width, text_width = config.hidden_size, config.text_config.hidden_size
        self.meter = MeterModel(config)
        self.log_scale = nn.Parameter(torch.tensor(14.0).log())
        self.matching = nn.Linear(2 * width, 2)
        self.words = nn.Linear(width, text_width)
        self.words_norm = nn.LayerNorm(text_width)
        self.words_bias = nn.Parameter(torch.zeros(config.text_config.vocab_size))

    @property
    def stem(self) -> ConvolutionalStem:
        """The convolutional start of the image encoder."""
        stem = self.meter.clip.embeddings.patch_embedding
        assert isinstance(stem, ConvolutionalStem)
        return stem

    def encode_image(self, maps: Maps) -> Tensor:
        """As :meth:`MeterModel.encode_image`, ``(images, 1 + patches, width)``, from the trunk's feature maps."""
        clip: Any = self.meter.clip
        patches = self.stem.merge(maps).flatten(2).transpose(1, 2)
        first = clip.embeddings.class_embedding.expand(len(patches), 1, -1).to(patches)
        tokens = torch.cat((first, patches), dim=1) + clip.embeddings.position_embedding.weight
        hidden = clip.encoder(inputs_embeds=clip.pre_layrnorm(tokens)).last_hidden_state
        output: Tensor = clip.post_layernorm(hidden)
        return output

    @property
    def contrast_scale(self) -> Tensor:
        """The factor of the cosines: the inverse of the temperature."""
        return self.log_scale.clamp(max=4.6).exp()

    def similarity(self, text: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        """Scaled cosines ``(images, texts)`` of encoded images and texts."""
        return self.contrast_scale * self.meter.image_vector(image) @ self.meter.text_vector(text, mask).T

    def contrast(self, similarity: Tensor) -> Tensor:
        """Symmetric contrastive loss of similarities ``(batch, batch)`` whose diagonal holds the matching pairs."""
        own = torch.arange(len(similarity), device=similarity.device)
        return (cross_entropy(similarity, own) + cross_entropy(similarity.T, own)) / 2

    def match(self, text: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        """Logits ``(pairs, 2)`` of "no match" and "match" for encoded texts and images."""
        logits: Tensor = self.matching(self.meter.fuse(text, (image,), mask).pooler_output)
        return logits.float()

    def name_words(self, input_ids: Tensor, mask: Tensor, image: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(masked, pieces)`` and labels ``(masked,)`` at the masked tokens of texts."""
        features = self.meter.fuse(self.meter.encode_text(input_ids, mask), (image,), mask).text_features
        assert features is not None
        hidden = labels != IGNORED
        guess = self.words_norm(gelu(self.words(features[hidden])))
        logits = guess @ self.meter.roberta.embeddings.word_embeddings.weight.T + self.words_bias
        return logits.float(), labels[hidden]
