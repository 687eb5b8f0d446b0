"""Names of the original ViLT (Kim et al., 2021) and of the DAS code's ViLT."""

from __future__ import annotations

from typing import Any

from transformers import (
    ViltConfig,
    ViltForImageAndTextRetrieval,
    ViltForImagesAndTextClassification,
    ViltForQuestionAnswering,
    ViltModel,
)

from ..families.vilt.heads import ViltForRanking, ViltForVisualReasoning
from ..families.vilt.skipping import adopt
from .layout import ADAPTER_PARTS, AFFINE, HEADS, SEARCH_STATE, Layout, OriginalWeights, with_rank_head
from .shapes import Hints, Shapes, Sizes

# The original text embeddings are BERT's and everything else is timm's, each with its own library's epsilon.
# ViltConfig has room for one, and configurations on the hub give BERT's everywhere.
_BLOCK_EPS, _TEXT_EPS = 1e-6, 1e-12

_LAYER = r"vilt.encoder.layer.\1"
_BLOCK = r"transformer\.blocks\.(\d+)"

_BODY = {
    rf"(text_embeddings\.\w+|token_type_embeddings)\.{AFFINE}": r"vilt.embeddings.\1.\g<kind>",
    r"transformer\.cls_token": "vilt.embeddings.cls_token",
    r"transformer\.pos_embed": "vilt.embeddings.position_embeddings",
    rf"transformer\.patch_embed\.proj\.{AFFINE}": r"vilt.embeddings.patch_embeddings.projection.\g<kind>",
    rf"{_BLOCK}\.norm1\.{AFFINE}": rf"{_LAYER}.layernorm_before.\g<kind>",
    rf"{_BLOCK}\.norm2\.{AFFINE}": rf"{_LAYER}.layernorm_after.\g<kind>",
    rf"{_BLOCK}\.attn\.qkv\.{AFFINE}": rf"{_LAYER}.attention.attention.(query|key|value).\g<kind>",
    rf"{_BLOCK}\.attn\.proj\.{AFFINE}": rf"{_LAYER}.attention.output.dense.\g<kind>",
    rf"{_BLOCK}\.mlp\.fc1\.{AFFINE}": rf"{_LAYER}.intermediate.dense.\g<kind>",
    rf"{_BLOCK}\.mlp\.fc2\.{AFFINE}": rf"{_LAYER}.output.dense.\g<kind>",
    rf"transformer\.norm\.{AFFINE}": r"vilt.layernorm.\g<kind>",
    rf"pooler\.dense\.{AFFINE}": r"vilt.pooler.dense.\g<kind>",
}

_ADAPTERS = {
    rf"{place}\.{part}\.{AFFINE}": rf"{our_place}.{our_part}.\g<kind>"
    for place, our_place in (
        (rf"{_BLOCK}\.adapter([01])", rf"{_LAYER}.block_adapters.\2"),
        (r"adapter_list\.(\d+)\.0", rf"{_LAYER}.skip_adapter"),
    )
    for part, our_part in ADAPTER_PARTS
}


def _sizes(shapes: Shapes, hints: Hints) -> Sizes:
    width = shapes.axis("transformer.norm.weight")
    patch = shapes.axis("transformer.patch_embed.proj.weight", 2)
    return {
        "vocab_size": shapes.axis("text_embeddings.word_embeddings.weight"),
        "type_vocab_size": shapes.axis("text_embeddings.token_type_embeddings.weight"),
        "max_position_embeddings": shapes.axis("text_embeddings.position_embeddings.weight"),
        "modality_type_vocab_size": shapes.axis("token_type_embeddings.weight"),
        "hidden_size": width,
        "num_hidden_layers": shapes.count("transformer.blocks."),
        "num_attention_heads": shapes.heads(width, hints.heads),
        "intermediate_size": shapes.axis("transformer.blocks.0.mlp.fc1.weight"),
        "image_size": shapes.side("transformer.pos_embed", 1, patch),
        "patch_size": patch,
        "num_channels": shapes.axis("transformer.patch_embed.proj.weight", 1),
        "num_images": 2,  # only the class for NLVR2 reads it
    }


def _prepare(config: Any) -> None:
    config.layer_norm_eps = _BLOCK_EPS
    config.text_layer_norm_eps = _TEXT_EPS  # transformers has one epsilon; our classes read this one too


def _complete(weights: OriginalWeights, config: Any) -> OriginalWeights:
    return OriginalWeights(weights.body, weights.adapters, with_rank_head(weights.heads))


#: ``mlm`` has no class: transformers ties its decoder, the original does not.
VILT = Layout(
    title="ViLT",
    tables={"body": _BODY, "adapters": _ADAPTERS, **HEADS},
    left_out={"the text's position numbers": (r"text_embeddings\.position_ids",), **SEARCH_STATE},
    head_of={
        ViltModel: None,
        ViltForQuestionAnswering: "vqa",
        ViltForImagesAndTextClassification: "nlvr2",
        ViltForVisualReasoning: "nlvr2",
        ViltForImageAndTextRetrieval: "rank",
        ViltForRanking: "rank",
    },
    prefix="vilt.",
    config_class=ViltConfig,
    sizes=_sizes,
    adapter_widths=(rf"{_BLOCK}\.adapter[01]\.down_proj\.weight", r"adapter_list\.\d+\.0\.down_proj\.weight"),
    prepare=_prepare,
    complete=_complete,
    adopt=adopt,
)
