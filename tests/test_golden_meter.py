"""METER against numbers made by running the authors' released code (../shared/golden)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import linear
from transformers import PreTrainedModel

from skiptune import SkipConfig, choose
from skiptune.families.meter import (
    MeterConfig,
    MeterForImageAndTextRetrieval,
    MeterForQuestionAnswering,
    MeterForVisualReasoning,
    MeterModel,
)
from skiptune.original import model_from_original, read_original, released_blocks

GOLDEN = Path(__file__).parents[1] / ".." / "shared" / "golden"
pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"golden numbers are not here: {GOLDEN}")

TOLERANCE = 1e-5
ADAPTERS = SkipConfig(block_width=8, skip_width=24)
SKIP_SETS = ("noskip", "skipA", "skipB")
M = TypeVar("M", bound=PreTrainedModel)


@cache
def settings() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GOLDEN / "meter_config.json").read_text())
    return content


@cache
def tensors(name: str) -> dict[str, Tensor]:
    content: dict[str, Tensor] = load_file(GOLDEN / f"meter_{name}.safetensors")
    return content


def sizes(**changes: Any) -> MeterConfig:
    """The golden model's sizes. Epsilons are left wrong where a configuration may well have them wrong."""
    config, roberta, clip = (settings()[name] for name in ("config", "roberta", "clip"))
    vision = {
        "hidden_size": clip["vision_width"],
        "num_hidden_layers": clip["vision_layers"] - 1,
        "num_attention_heads": clip["vision_width"] // 64,
        "intermediate_size": 4 * clip["vision_width"],
        "image_size": clip["image_resolution"],
        "patch_size": clip["vision_patch_size"],
    }
    given: dict[str, Any] = {
        "vision_config": vision,
        "text_config": {**roberta, "layer_norm_eps": 1e-12},
        "hidden_size": config["hidden_size"],
        "num_top_layers": config["num_top_layer"],
        "num_attention_heads": config["num_heads"],
        "intermediate_size": config["hidden_size"] * config["mlp_ratio"],
        "layer_norm_eps": 1e-5,
        "image_size": config["image_size"],
        "max_text_length": config["max_text_len"],
        "modality_type_vocab_size": 3,
        "text_start": "token",
        "num_labels": config["vqav2_label_size"],
    }
    return MeterConfig(**{**given, **changes})


def build(model_class: type[M], variant: str, **changes: Any) -> M:
    """The model behind ``meter_out_<variant>``."""
    state = tensors("state_dict")
    if variant == "orig_noadapter":
        return model_from_original(state, sizes(text_start="roberta", **changes), model_class)
    model = model_from_original(state, sizes(**changes), model_class, ADAPTERS)
    choose(model, released_blocks(model, settings()["skip_sets"][variant]))
    return model


def inputs(image: str = "image", text: str = "text") -> dict[str, Tensor]:
    given = tensors("inputs")
    return {
        "input_ids": given[f"{text}_ids"],
        "attention_mask": given[f"{text}_masks"],
        "pixel_values": given[image],
    }


def vqa_targets() -> Tensor:
    labels = settings()["labels"]
    targets = torch.zeros(len(labels["vqa_labels"]), settings()["config"]["vqav2_label_size"])
    for row, (answers, scores) in enumerate(zip(labels["vqa_labels"], labels["vqa_scores"], strict=True)):
        for answer, score in zip(answers, scores, strict=True):
            targets[row, answer] = score
    return targets


def body_outputs(variant: str) -> dict[str, Tensor]:
    model = build(MeterModel, variant)
    output = model(**inputs(), output_hidden_states=True)
    itm = read_original(tensors("state_dict")).heads["itm"]
    found = {
        "text_encoder_out": output.text_encoder_output,
        "vit_out": output.image_encoder_output,
        "text_feats": output.text_features,
        "image_feats": output.image_features,
        "cls_feats": output.pooler_output,
        "itm_logits": linear(output.pooler_output, itm["itm_score.weight"], itm["itm_score.bias"]),
    }
    for stream, states in (("text", output.text_hidden_states), ("image", output.image_hidden_states)):
        found |= {f"hidden/{stream}_{number}": state for number, state in enumerate(states[1:])}
    for number, image in ((1, "image"), (2, "image_1")):
        found[f"nlvr2_cls_feats_{number}"] = model(**inputs(image), image_token_type=number).pooler_output
    return found


def vqa_outputs(variant: str) -> dict[str, Tensor]:
    targets = vqa_targets()
    output = build(MeterForQuestionAnswering, variant)(**inputs(), labels=targets)
    return {"vqa_logits": output.logits, "vqa_loss": output.loss, "vqa_targets": targets}


def nlvr2_outputs(variant: str) -> dict[str, Tensor]:
    model = build(MeterForVisualReasoning, variant, num_labels=2)
    pixels = torch.stack((tensors("inputs")["image"], tensors("inputs")["image_1"]), 1)
    labels = torch.tensor(settings()["labels"]["nlvr2_answers"])
    output = model(**{**inputs(), "pixel_values": pixels}, labels=labels)
    return {"nlvr2_logits": output.logits, "nlvr2_loss": output.loss}


def retrieval_outputs(variant: str) -> dict[str, Tensor]:
    """Each image's true text first, then the false ones; cross-entropy wants the first on top."""
    model = build(MeterForImageAndTextRetrieval, variant)
    texts = ["text", *(f"false_text_{number}" for number in range(settings()["draw_false_text"]))]
    given = [inputs(text=text) for text in texts]
    several = {name: torch.stack([each[name] for each in given], 1) for name in ("input_ids", "attention_mask")}
    pixels = given[0]["pixel_values"]
    output = model(**several, pixel_values=pixels, labels=torch.zeros(len(pixels), dtype=torch.long))
    return {"rank_score": output.logits[:, 0], "irtr_loss": output.loss}


def relative(ours: Tensor, reference: Tensor) -> float:
    return float((ours - reference).abs().max() / reference.abs().max())


def count(model: PreTrainedModel) -> int:
    return sum(weight.numel() for weight in model.parameters())


@torch.inference_mode()
@pytest.mark.parametrize("variant", ["orig_noadapter", "noskip", "skipA"])
def test_every_golden_number_is_reproduced(variant: str) -> None:
    reference = tensors(f"out_{variant}")
    ours: dict[str, Tensor] = {}
    for outputs in (body_outputs, vqa_outputs, nlvr2_outputs, retrieval_outputs):
        ours |= outputs(variant)
    assert ours.keys() == reference.keys()
    assert {name: value.shape for name, value in ours.items()} == {name: ref.shape for name, ref in reference.items()}
    differences = {name: relative(ours[name], reference[name]) for name in reference}
    print(variant, max(differences.values()))
    assert {name: difference for name, difference in differences.items() if not difference <= TOLERANCE} == {}
