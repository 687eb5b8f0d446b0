"""Names of the original METER (Dou et al., 2022) and of the DAS code's METER."""

from __future__ import annotations

import torch
from torch.nn.functional import linear

from ..families.meter import (
    MeterConfig,
    MeterForImageAndTextRetrieval,
    MeterForQuestionAnswering,
    MeterForVisualEntailment,
    MeterForVisualReasoning,
    MeterModel,
)
from ..families.meter.skipping import adopt
from .layout import ADAPTER_PARTS, AFFINE, HEADS, SEARCH_STATE, Layout, OriginalWeights, with_rank_head
from .shapes import Hints, Shapes, Sizes

_START, _TYPES = "meter.token4classifier", "meter.token_type_embeddings.weight"
_WORDS = "meter.roberta.embeddings.word_embeddings.weight"
_FUSION_EPS, _ENCODER_EPS = 1e-12, 1e-5

_TEXT = r"text_transformer\.encoder\.layer\.(\d+)"
_TEXT_PARTS = (
    r"attention\.self\.(?:query|key|value)|attention\.output\.(?:dense|LayerNorm)"
    r"|intermediate\.dense|output\.(?:dense|LayerNorm)"
)
_VISUAL = r"vit_model\.visual"
_BLOCK = rf"{_VISUAL}\.transformer\.resblocks\.(\d+)"
_CLIP_LAYER = r"meter.clip.encoder.layers.\1"
_FUSION = r"cross_modal_(text|image)_layers\.(\d+)"
_LAYER = r"meter.\1_layers.\2"

_ENCODERS = {
    r"text_transformer\.embeddings\.(word_embeddings|position_embeddings|token_type_embeddings)\.weight": (
        r"meter.roberta.embeddings.\1.weight"
    ),
    rf"text_transformer\.embeddings\.LayerNorm\.{AFFINE}": r"meter.roberta.embeddings.LayerNorm.\g<kind>",
    rf"{_TEXT}\.({_TEXT_PARTS})\.{AFFINE}": r"meter.roberta.encoder.layer.\1.\2.\g<kind>",
    rf"{_VISUAL}\.class_embedding": "meter.clip.embeddings.class_embedding",
    rf"{_VISUAL}\.positional_embedding": "meter.clip.embeddings.position_embedding.weight",
    rf"{_VISUAL}\.conv1\.weight": "meter.clip.embeddings.patch_embedding.weight",
    rf"{_VISUAL}\.ln_pre\.{AFFINE}": r"meter.clip.pre_layrnorm.\g<kind>",
    rf"{_VISUAL}\.ln_post\.{AFFINE}": r"meter.clip.post_layernorm.\g<kind>",
    rf"{_BLOCK}\.attn\.in_proj_{AFFINE}": rf"{_CLIP_LAYER}.self_attn.(q_proj|k_proj|v_proj).\g<kind>",
    rf"{_BLOCK}\.attn\.out_proj\.{AFFINE}": rf"{_CLIP_LAYER}.self_attn.out_proj.\g<kind>",
    rf"{_BLOCK}\.ln_([12])\.{AFFINE}": rf"{_CLIP_LAYER}.layer_norm\2.\g<kind>",
    rf"{_BLOCK}\.mlp\.c_fc\.{AFFINE}": rf"{_CLIP_LAYER}.mlp.fc1.\g<kind>",
    rf"{_BLOCK}\.mlp\.c_proj\.{AFFINE}": rf"{_CLIP_LAYER}.mlp.fc2.\g<kind>",
}

_FUSION_PARTS = {
    **{
        rf"{original}\.{part}": f"{ours}.{our_part}"
        for original, ours in (("attention", "self_attention"), ("crossattention", "cross_attention"))
        for part, our_part in (
            (r"self\.query", "query"),
            (r"self\.key", "key"),
            (r"self\.value", "value"),
            (r"output\.dense", "dense"),
            (r"output\.LayerNorm", "layer_norm"),
        )
    },
    r"intermediate\.dense": "intermediate",
    r"output\.dense": "output",
    r"output\.LayerNorm": "layer_norm",
}

_BODY = {
    **_ENCODERS,
    rf"cross_modal_(text|image)_transform\.{AFFINE}": r"meter.\1_projection.\g<kind>",
    rf"cross_modal_(text|image)_pooler\.dense\.{AFFINE}": r"meter.\1_pooler.dense.\g<kind>",
    r"token_type_embeddings\.weight": "meter.token_type_embeddings.weight",
    r"token4classifier": "meter.token4classifier",
    **{rf"{_FUSION}\.{part}\.{AFFINE}": rf"{_LAYER}.{our_part}.\g<kind>" for part, our_part in _FUSION_PARTS.items()},
}

_ADAPTERS = {
    rf"{place}\.{part}\.{AFFINE}": rf"{our_place}.{our_part}.\g<kind>"
    for place, our_place in (
        (rf"{_FUSION}\.attention\.output\.adapter", rf"{_LAYER}.block_adapters.0"),
        (rf"{_FUSION}\.crossattention\.output\.adapter", rf"{_LAYER}.block_adapters.1"),
        (rf"{_FUSION}\.adapter", rf"{_LAYER}.block_adapters.2"),
        (r"adapter_list_l\.(\d+)\.0", r"meter.text_layers.\1.skip_adapter"),
        (r"adapter_list_v\.(\d+)\.0", r"meter.image_layers.\1.skip_adapter"),
    )
    for part, our_part in ADAPTER_PARTS
}

_SNLI = {rf"snli_classifier\.([013])\.{AFFINE}": r"classifier.\1.\g<kind>"}

_LEFT_OUT = {
    "CLIP's text transformer": (
        r"vit_model\.(?:positional_embedding|text_projection|logit_scale|input_resolution|context_length|vocab_size)",
        r"vit_model\.token_embedding\.weight",
        r"vit_model\.ln_final\.(?:weight|bias)",
        r"vit_model\.transformer\.resblocks\.\d+\.(?:attn|ln_1|ln_2|mlp)\..+",
    ),
    "CLIP's projection into the space it shares with its text transformer": (r"vit_model\.visual\.proj",),
    "RoBERTa's pooler": (r"text_transformer\.pooler\.dense\.(?:weight|bias)",),
    "RoBERTa's position numbers": (r"text_transformer\.embeddings\.(?:position_ids|token_type_ids)",),
    **SEARCH_STATE,
}

#: Width of a head in CLIP, a constant in the original METER.
_CLIP_HEAD = 64
_MAX_TEXT_LENGTH = 50


def _sizes(shapes: Shapes, hints: Hints) -> Sizes:
    width = shapes.axis("cross_modal_text_transform.weight")
    heads = shapes.heads(width, hints.heads)
    vision = _vision_sizes(shapes)
    text = _text_sizes(shapes, max(1, width // heads))
    image_size = hints.image_size or vision["image_size"]
    patch = vision["patch_size"]
    shapes.problems.check(image_size % patch == 0, f"image_size: {image_size} is not a multiple of a patch's {patch}")
    return {
        "vision_config": vision,
        "text_config": text,
        "hidden_size": width,
        "num_top_layers": shapes.count("cross_modal_text_layers."),
        "num_attention_heads": heads,
        "intermediate_size": shapes.axis("cross_modal_text_layers.0.intermediate.dense.weight"),
        "image_size": image_size,
        "max_text_length": min(hints.max_text_length or _MAX_TEXT_LENGTH, text["max_position_embeddings"] - 2),
        "modality_type_vocab_size": max(3, shapes.axis("token_type_embeddings.weight")),
        "text_start": "roberta" if shapes.rows("token4classifier") is None else "token",
    }


def _vision_sizes(shapes: Shapes) -> dict[str, int]:
    clip = "vit_model.visual"
    width, patch = shapes.axis(f"{clip}.ln_post.weight"), shapes.axis(f"{clip}.conv1.weight", 2)
    shapes.problems.check(width % _CLIP_HEAD == 0, f"{clip}: {width} wide, not a multiple of {_CLIP_HEAD}")
    return {
        "hidden_size": width,
        "num_hidden_layers": shapes.count(f"{clip}.transformer.resblocks."),
        "num_attention_heads": max(1, width // _CLIP_HEAD),
        "intermediate_size": shapes.axis(f"{clip}.transformer.resblocks.0.mlp.c_fc.weight"),
        "image_size": shapes.side(f"{clip}.positional_embedding", 0, patch),
        "patch_size": patch,
    }


def _text_sizes(shapes: Shapes, head: int) -> dict[str, int]:
    """RoBERTa's; its heads are as wide as those of the fusion layers."""
    embeddings = "text_transformer.embeddings"
    width = shapes.axis(f"{embeddings}.LayerNorm.weight")
    shapes.problems.check(width % head == 0, f"text_transformer: {width} wide, not a multiple of a head's {head}")
    return {
        "vocab_size": shapes.axis(f"{embeddings}.word_embeddings.weight"),
        "hidden_size": width,
        "num_hidden_layers": shapes.count("text_transformer.encoder.layer."),
        "num_attention_heads": max(1, width // head),
        "intermediate_size": shapes.axis("text_transformer.encoder.layer.0.intermediate.dense.weight"),
        "max_position_embeddings": shapes.axis(f"{embeddings}.position_embeddings.weight"),
        "type_vocab_size": shapes.axis(f"{embeddings}.token_type_embeddings.weight"),
    }


def _prepare(config: MeterConfig) -> None:
    config.layer_norm_eps = _FUSION_EPS
    config.text_config.layer_norm_eps = config.vision_config.layer_norm_eps = _ENCODER_EPS


def _complete(weights: OriginalWeights, config: MeterConfig) -> OriginalWeights:
    """Drop CLIP's last block and an unused start token; fill in the third token type and the rank head, with the
    matching head beside it if the configuration says so.

    The second image's token-type row starts as a copy of the image's, the rank head as the "match" row of image-text
    matching, and the start token as RoBERTa's embedding of ``<s>``, as the released code has it.
    """
    last = f"meter.clip.encoder.layers.{config.vision_config.num_hidden_layers}."
    body = {name: value for name, value in weights.body.items() if not name.startswith(last)}
    if config.text_start != "token":
        body.pop(_START, None)
    elif _START not in body and _WORDS in body:
        start = body[_WORDS][config.text_config.bos_token_id]
        if len(start) != config.hidden_size:
            start = linear(start, body["meter.text_projection.weight"], body["meter.text_projection.bias"])
        body[_START] = start.view(1, 1, -1)
    if config.modality_type_vocab_size == 3 and _TYPES in body and len(body[_TYPES]) == 2:
        body[_TYPES] = torch.cat((body[_TYPES], body[_TYPES][1:]))
    return OriginalWeights(body, weights.adapters, with_rank_head(weights.heads, config.matching_loss))


METER = Layout(
    title="METER",
    tables={"body": _BODY, "adapters": _ADAPTERS, **HEADS, "snli": _SNLI},
    left_out=_LEFT_OUT,
    head_of={
        MeterModel: None,
        MeterForQuestionAnswering: "vqa",
        MeterForVisualReasoning: "nlvr2",
        MeterForImageAndTextRetrieval: "rank",
        MeterForVisualEntailment: "snli",
    },
    prefix="meter.",
    config_class=MeterConfig,
    sizes=_sizes,
    adapter_widths=(rf"{_FUSION}\..*adapter\.down_proj\.weight", r"adapter_list_[lv]\.\d+\.0\.down_proj\.weight"),
    prepare=_prepare,
    complete=_complete,
    adopt=adopt,
)
