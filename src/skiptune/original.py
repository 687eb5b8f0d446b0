"""ViLT weights under the names of the original code (Kim et al., 2021) and of the released DAS code, read for ours.

:func:`read_original` renames a state dictionary into transformers' names for the body and the task heads, and into
those of :func:`skiptune.insert` for the adapters. :func:`model_from_original` builds a ready model from it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from transformers import (
    PreTrainedModel,
    ViltConfig,
    ViltForImageAndTextRetrieval,
    ViltForImagesAndTextClassification,
    ViltForQuestionAnswering,
    ViltModel,
)

from .checks import Problems
from .config import SkipConfig
from .errors import InputError
from .families.vilt import adopt
from .insertion import insert

M = TypeVar("M", bound=PreTrainedModel)

# The original text embeddings are BERT's and everything else is timm's, each with its own library's epsilon.
# ViltConfig has room for one, and configurations on the hub give BERT's everywhere.
_BLOCK_EPS, _TEXT_EPS = 1e-6, 1e-12

_BUFFER = "text_embeddings.position_ids"  # 0, 1, 2, …: transformers makes it itself
_LAYER = r"vilt.encoder.layer.\1"
_BLOCK = r"transformer\.blocks\.(\d+)"
_AFFINE = r"(?P<kind>weight|bias)"

#: Original name (regular expression) → name in transformers. ``qkv`` is split afterwards.
_BODY = {
    rf"(text_embeddings\.\w+|token_type_embeddings)\.{_AFFINE}": r"vilt.embeddings.\1.\g<kind>",
    r"transformer\.cls_token": "vilt.embeddings.cls_token",
    r"transformer\.pos_embed": "vilt.embeddings.position_embeddings",
    rf"transformer\.patch_embed\.proj\.{_AFFINE}": r"vilt.embeddings.patch_embeddings.projection.\g<kind>",
    rf"{_BLOCK}\.norm1\.{_AFFINE}": rf"{_LAYER}.layernorm_before.\g<kind>",
    rf"{_BLOCK}\.norm2\.{_AFFINE}": rf"{_LAYER}.layernorm_after.\g<kind>",
    rf"{_BLOCK}\.attn\.qkv\.{_AFFINE}": rf"{_LAYER}.attention.attention.qkv.\g<kind>",
    rf"{_BLOCK}\.attn\.proj\.{_AFFINE}": rf"{_LAYER}.attention.output.dense.\g<kind>",
    rf"{_BLOCK}\.mlp\.fc1\.{_AFFINE}": rf"{_LAYER}.intermediate.dense.\g<kind>",
    rf"{_BLOCK}\.mlp\.fc2\.{_AFFINE}": rf"{_LAYER}.output.dense.\g<kind>",
    rf"transformer\.norm\.{_AFFINE}": r"vilt.layernorm.\g<kind>",
    rf"pooler\.dense\.{_AFFINE}": r"vilt.pooler.dense.\g<kind>",
}

#: Adapters of the released DAS code → ours.
_ADAPTERS = {
    rf"{place}\.{part}\.{_AFFINE}": rf"{our_place}.{our_part}.\g<kind>"
    for place, our_place in (
        (rf"{_BLOCK}\.adapter([01])", rf"{_LAYER}.block_adapters.\2"),
        (r"adapter_list\.(\d+)\.0", rf"{_LAYER}.skip_adapter"),
    )
    for part, our_part in (("adapter_layer_norm_before", "layer_norm"), ("down_proj", "down"), ("up_proj", "up"))
}

#: Part of a checkpoint → its names. Those of task heads follow transformers' classes, ``itm`` our pre-training model.
_TABLES = {
    "body": _BODY,
    "adapters": _ADAPTERS,
    "vqa": {rf"vqa_classifier\.([013])\.{_AFFINE}": r"classifier.\1.\g<kind>"},
    "nlvr2": {rf"nlvr2_classifier\.([013])\.{_AFFINE}": r"classifier.\1.\g<kind>"},
    "rank": {rf"rank_output\.{_AFFINE}": r"rank_output.\g<kind>"},
    "itm": {rf"itm_score\.fc\.{_AFFINE}": r"itm_score.\g<kind>"},
    "mlm": {
        rf"mlm_score\.(transform\.dense|transform\.LayerNorm|decoder)\.{_AFFINE}": r"mlm_score.\1.\g<kind>",
        r"mlm_score\.bias": "mlm_score.decoder.bias",
    },
}

#: The head each transformers class needs. ``mlm`` has no class: transformers ties its decoder, the original does not.
_HEAD_OF: dict[type[PreTrainedModel], str | None] = {
    ViltModel: None,
    ViltForQuestionAnswering: "vqa",
    ViltForImagesAndTextClassification: "nlvr2",
    ViltForImageAndTextRetrieval: "rank",
}


@dataclass(frozen=True)
class OriginalWeights:
    """An original state dictionary, sorted and renamed; tensors share memory with it.

    Attributes:
        body: named as in any transformers class with a head, ``vilt.…``.
        adapters: named as :func:`skiptune.insert` does; empty for the original ViLT.
        heads: those the checkpoint has, of ``vqa``, ``nlvr2``, ``rank``, ``itm`` and ``mlm``.
    """

    body: dict[str, Tensor]
    adapters: dict[str, Tensor]
    heads: dict[str, dict[str, Tensor]]


def read_original(state: Mapping[str, Tensor]) -> OriginalWeights:
    """Sort and rename an original state dictionary, leaving no key out.

    Raises:
        InputError: keys that belong to nothing known, all in one message.
    """
    found: dict[str, dict[str, Tensor]] = {"body": {}, "adapters": {}}
    problems = Problems("not a state dictionary of the original ViLT or of the released DAS code")
    for key in sorted(state.keys() - {_BUFFER}):
        if place := _place(key):
            found.setdefault(place[0], {}).update(_split_qkv(place[1], state[key]))
        else:
            problems.add(f"{key}: unknown key")
    problems.raise_any()
    return OriginalWeights(found.pop("body"), found.pop("adapters"), found)


def model_from_original(
    state: Mapping[str, Tensor], config: ViltConfig, model_class: type[M], skip_config: SkipConfig | None = None
) -> M:
    """A model of ``model_class`` with original weights, in float32 and evaluation mode.

    Heads of other tasks are left behind. ``config`` is copied; its one LayerNorm epsilon is set to the original's,
    and that of the text embeddings on the model itself.

    Args:
        state: original names → tensors.
        config: the sizes, which must be those of ``state``. NLVR2 needs ``num_images=2`` and, as its checkpoints have
            a third token-type row for the second image, ``modality_type_vocab_size=3``.
        model_class: ``ViltModel`` or the transformers class of a task whose head is in ``state``.
        skip_config: adapters to insert. They get the weights in ``state``, or start afresh if it has none at all.
            ``None``: a plain transformers model; adapters in ``state`` are left behind.

    Raises:
        InputError: a key nobody knows, a class that is not supported, weights that are missing, left over or of other
            sizes than ``config`` and ``skip_config`` say.
    """
    if model_class not in _HEAD_OF:
        supported = ", ".join(known.__name__ for known in _HEAD_OF)
        raise InputError(f"{model_class.__name__} cannot be built from original ViLT weights; supported: {supported}")
    weights, head = read_original(state), _HEAD_OF[model_class]
    if head and head not in weights.heads:
        raise InputError(f"{model_class.__name__} needs the {head!r} head; there are only: {', '.join(weights.heads)}")
    model = _build(config, model_class)
    _load(model, {**weights.body, **weights.heads.get(head or "", {})}, model.state_dict().keys())
    if skip_config is not None:
        plain = model.state_dict().keys()
        insert(model, skip_config)
        if weights.adapters:
            _load(model, weights.adapters, model.state_dict().keys() - plain)
    return model


def _place(key: str) -> tuple[str, str] | None:
    """Table and new name of an original key."""
    for table, patterns in _TABLES.items():
        for pattern, name in patterns.items():
            if match := re.fullmatch(pattern, key):
                return table, match.expand(name)
    return None


def _split_qkv(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """``(3 · width, …)`` → query, key and value, each ``(width, …)``; any other tensor stays whole."""
    if ".qkv." not in name:
        return {name: tensor}
    parts = zip(("query", "key", "value"), tensor.tensor_split(3), strict=True)
    return {name.replace(".qkv.", f".{part}."): piece for part, piece in parts}


def _build(config: ViltConfig, model_class: type[M]) -> M:
    config = copy.deepcopy(config)
    config.layer_norm_eps = _BLOCK_EPS
    config.text_layer_norm_eps = _TEXT_EPS  # transformers has one epsilon; our classes read this one too
    with torch.random.fork_rng(devices=[]):  # every weight is replaced; drawing them must not disturb the caller
        model: M = model_class(config)
    adopt(model)
    model.eval()
    return model


def _load(model: nn.Module, tensors: Mapping[str, Tensor], expected: Collection[str]) -> None:
    """Put exactly the ``expected`` entries of the model's state in place, or refuse naming every misfit."""
    cut = len("vilt.") if isinstance(model, ViltModel) else 0  # alone, the body's names have no prefix
    tensors = {name[cut:]: tensor for name, tensor in tensors.items()}
    own = model.state_dict()
    problems = Problems("the weights do not fit the configuration")
    for name in sorted(tensors.keys() ^ set(expected)):
        problems.add(f"{name}: " + ("missing" if name in expected else "left over, the model has no such weight"))
    for name in sorted(tensors.keys() & set(expected)):
        there, here = tuple(own[name].shape), tuple(tensors[name].shape)
        problems.check(there == here, f"{name}: {here}, the model has {there}")
    problems.raise_any()
    model.load_state_dict({**own, **tensors}, strict=True)
