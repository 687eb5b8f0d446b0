"""ViLT against numbers made by running the authors' released code (../shared/golden)."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy, linear
from transformers import (
    PreTrainedModel,
    ViltConfig,
    ViltForImageAndTextRetrieval,
    ViltForImagesAndTextClassification,
    ViltForMaskedLM,
    ViltForQuestionAnswering,
    ViltModel,
)

from skiptune import InputError, Plan, SkipConfig, blocks_of, choose, insert, prune
from skiptune.converting import model_from_original, read_original
from skiptune.families.vilt.skipping import vilt_of

GOLDEN = Path(__file__).parents[2] / ".." / "shared" / "golden"
pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"golden numbers are not here: {GOLDEN}")

TOLERANCE = 1e-5
ADAPTERS = SkipConfig(block_width=8, skip_width=24)
NO_ADAPTERS = SkipConfig(block_adapter="none")
SKIP_SETS = ("noskip", "skipA", "skipB")
M = TypeVar("M", bound=PreTrainedModel)


@cache
def settings() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GOLDEN / "vilt_config.json").read_text())
    return content


@cache
def tensors(name: str) -> dict[str, Tensor]:
    content: dict[str, Tensor] = load_file(GOLDEN / f"vilt_{name}.safetensors")
    return content


def sizes(**changes: Any) -> ViltConfig:
    """The golden model's sizes. The epsilon is left at the wrong 1e-12 that hub configurations have."""
    config = settings()["config"]
    return ViltConfig(
        vocab_size=config["vocab_size"],
        modality_type_vocab_size=3,
        max_position_embeddings=config["max_text_len"],
        hidden_size=config["hidden_size"],
        num_hidden_layers=config["num_layers"],
        num_attention_heads=config["num_heads"],
        intermediate_size=config["hidden_size"] * config["mlp_ratio"],
        image_size=config["image_size"],
        patch_size=config["patch_size"],
        max_image_length=config["max_image_len"],
        **{"num_labels": config["vqav2_label_size"], **changes},
    )


def skip_set(name: str) -> tuple[str, ...]:
    return tuple(str(block) for block in settings()["skip_sets"][name])


def build(model_class: type[M], variant: str, **changes: Any) -> M:
    """The model behind ``vilt_out_<variant>``. Without adapters ``insert`` still brings patches into raster order."""
    state, config = tensors("state_dict"), sizes(**changes)
    if variant == "orig_noadapter":
        model = model_from_original(state, config, model_class)
        insert(model, NO_ADAPTERS)
        return model
    model = model_from_original(state, config, model_class, ADAPTERS)
    choose(model, skip_set(variant))
    return model


def inputs(image: str = "image", text: str = "text") -> dict[str, Tensor]:
    """What the original gets; it takes pixels that are zero in all channels for padding."""
    given = tensors("inputs")
    pixels = given[image]
    mask = (pixels.sum(1) != 0).long()
    text_ids, text_mask = given[f"{text}_ids"], given[f"{text}_masks"]
    return {"input_ids": text_ids, "attention_mask": text_mask, "pixel_values": pixels, "pixel_mask": mask}


def vqa_targets() -> Tensor:
    labels = settings()["labels"]
    targets = torch.zeros(len(labels["vqa_labels"]), settings()["config"]["vqav2_label_size"])
    for row, (answers, scores) in enumerate(zip(labels["vqa_labels"], labels["vqa_scores"], strict=True)):
        for answer, score in zip(answers, scores, strict=True):
            targets[row, answer] = score
    return targets


def body_outputs(variant: str) -> dict[str, Tensor]:
    model = build(ViltModel, variant)
    given = inputs()
    output = model(**given, output_hidden_states=True)
    length = given["input_ids"].shape[1]
    _, image_masks, (patch_index, _) = model.embeddings.visual_embed(given["pixel_values"], given["pixel_mask"])
    itm = read_original(tensors("state_dict")).heads["itm"]
    found = {
        "block_in": output.hidden_states[0],
        "text_feats": output.last_hidden_state[:, :length],
        "image_feats": output.last_hidden_state[:, length:],
        "raw_cls_feats": output.last_hidden_state[:, 0],
        "cls_feats": output.pooler_output,
        "itm_logits": linear(output.pooler_output, itm["itm_score.weight"], itm["itm_score.bias"]),
        "image_masks": image_masks,
        "patch_index": patch_index,
    }
    found |= {f"hidden/{number}": state for number, state in enumerate(output.hidden_states[1:])}
    for number, image in ((1, "image"), (2, "image_1")):
        found[f"nlvr2_cls_feats_{number}"] = model(**inputs(image), image_token_type_idx=number).pooler_output
    return found


def vqa_outputs(variant: str) -> dict[str, Tensor]:
    targets = vqa_targets()
    model = build(ViltForQuestionAnswering, variant)
    output = model(**inputs(), labels=targets)
    return {"vqa_logits": output.logits, "vqa_loss": output.loss, "vqa_targets": targets}


def nlvr2_outputs(variant: str) -> dict[str, Tensor]:
    model = build(ViltForImagesAndTextClassification, variant, num_labels=2, num_images=2)
    first, second = inputs("image"), inputs("image_1")
    pairs = {name: torch.stack((first[name], second[name]), 1) for name in ("pixel_values", "pixel_mask")}
    output = model(**(first | pairs), labels=torch.tensor(settings()["labels"]["nlvr2_answers"]))
    return {"nlvr2_logits": output.logits, "nlvr2_loss": output.loss}


def retrieval_outputs(variant: str) -> dict[str, Tensor]:
    """Each image's true text first, then the false ones; cross-entropy wants the first on top."""
    model = build(ViltForImageAndTextRetrieval, variant)
    texts = ["text", *(f"false_text_{number}" for number in range(settings()["draw_false_text"]))]
    scores = torch.cat([model(**inputs(text=text)).logits for text in texts], 1)
    loss = cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long))
    return {"rank_score": scores[:, 0], "irtr_loss": loss}


def count(model: PreTrainedModel) -> int:
    return sum(weight.numel() for weight in model.parameters())


def relative(ours: Tensor, reference: Tensor) -> float:
    return float((ours - reference).abs().max() / reference.abs().max())


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
    assert {name: difference for name, difference in differences.items() if not difference <= TOLERANCE} == {}


@torch.inference_mode()
def test_plain_transformers_model_agrees_where_patch_order_does_not_matter() -> None:
    """No class of ours runs here: the weights are read right, and our classes compute what transformers' do."""
    state, reference = tensors("state_dict"), tensors("out_orig_noadapter")
    model = model_from_original(state, sizes(), ViltForQuestionAnswering)
    with torch.random.fork_rng(devices=[]):
        output = model(**inputs(), labels=vqa_targets())
    assert relative(output.logits, reference["vqa_logits"]) <= TOLERANCE
    assert relative(output.loss, reference["vqa_loss"]) <= TOLERANCE


@torch.inference_mode()
@pytest.mark.parametrize("skips", SKIP_SETS)
@pytest.mark.parametrize("model_class", [ViltForQuestionAnswering, ViltForImageAndTextRetrieval])
def test_skipping_equals_pruning_bit_for_bit(model_class: type[PreTrainedModel], skips: str) -> None:
    model = build(model_class, skips)
    slim = copy.deepcopy(model)
    prune(slim, Plan("vilt", tuple(blocks_of(slim)), skip_set(skips)))
    by_flag, by_pruning = (each(**inputs(), output_hidden_states=True) for each in (model, slim))
    assert torch.equal(by_flag.logits, by_pruning.logits)
    for ours, theirs in zip(by_flag.hidden_states, by_pruning.hidden_states, strict=True):
        assert torch.equal(ours, theirs)
    assert by_flag.logits.isfinite().all()
    assert count(slim) < count(model)


@torch.inference_mode()
def test_skip_sets_differ() -> None:
    logits = [build(ViltForQuestionAnswering, skips)(**inputs()).logits for skips in SKIP_SETS]
    assert not any(torch.equal(logits[one], logits[other]) for one, other in ((0, 1), (0, 2), (1, 2)))


def test_layer_norm_epsilons_are_the_original_ones() -> None:
    config = sizes()
    model = model_from_original(tensors("state_dict"), config, ViltForQuestionAnswering, ADAPTERS)
    epsilons = {name: module.eps for name, module in model.named_modules() if isinstance(module, torch.nn.LayerNorm)}
    for name, epsilon in epsilons.items():
        new = "adapter" in name or name.startswith("classifier")
        text = name == "vilt.embeddings.text_embeddings.LayerNorm"
        assert epsilon == (1e-5 if new else 1e-12 if text else 1e-6), name
    assert config.layer_norm_eps == 1e-12, "the caller's configuration was changed"


def test_building_draws_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    build(ViltForQuestionAnswering, "skipA")
    assert torch.equal(torch.get_rng_state(), before)


@torch.inference_mode()
def test_adapters_start_afresh_when_the_checkpoint_has_none() -> None:
    plain = {key: value for key, value in tensors("state_dict").items() if "adapter" not in key}
    model = model_from_original(plain, sizes(), ViltForQuestionAnswering, ADAPTERS)
    assert vilt_of(model).encoder.layer[0].block_adapters is not None
    reference = tensors("out_orig_noadapter")["vqa_logits"]
    assert relative(model(**inputs()).logits, reference) <= TOLERANCE


def test_every_key_is_accounted_for() -> None:
    state = tensors("state_dict")
    weights = read_original(state)
    read = len(weights.body) + len(weights.adapters) + sum(len(head) for head in weights.heads.values())
    assert weights.heads.keys() == {"vqa", "nlvr2", "itm", "rank"}
    joint = sum(".qkv." in key for key in state)
    assert read == len(state) + 2 * joint - 1, "all but position_ids, and each qkv makes three"


def test_masked_language_head_of_the_pretrained_checkpoint_is_known() -> None:
    width, words = 4, 7
    original = {
        "mlm_score.bias": torch.zeros(words),
        "mlm_score.decoder.weight": torch.zeros(words, width),
        "mlm_score.transform.dense.weight": torch.zeros(width, width),
        "mlm_score.transform.dense.bias": torch.zeros(width),
        "mlm_score.transform.LayerNorm.weight": torch.zeros(width),
        "mlm_score.transform.LayerNorm.bias": torch.zeros(width),
    }
    model = ViltForMaskedLM(
        ViltConfig(hidden_size=width, vocab_size=words, num_hidden_layers=1, num_attention_heads=1, image_size=32)
    )
    theirs = {name: value.shape for name, value in model.state_dict().items() if name.startswith("mlm_score.")}
    assert {name: value.shape for name, value in read_original(original).heads["mlm"].items()} == theirs


def test_all_leftover_keys_are_named() -> None:
    state = tensors("state_dict") | {
        "transformer.blocks.0.adapter2.down_proj.weight": torch.zeros(1),
        "gate": torch.zeros(12),
        "transformer.head.weight": torch.zeros(1),
    }
    with pytest.raises(InputError) as refusal:
        read_original(state)
    for key in ("transformer.blocks.0.adapter2.down_proj.weight", "gate", "transformer.head.weight"):
        assert f"- {key}: unknown key" in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "skip_config", "expected"),
    [
        ({"num_labels": 39}, None, "classifier.3.weight: (40, 128), the model has (39, 128)"),
        ({}, SkipConfig(block_width=9, skip_width=24), "block_adapters.0.down.weight: (8, 64)"),
        ({}, NO_ADAPTERS, "vilt.encoder.layer.0.skip_adapter.up.bias: left over"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    changes: dict[str, Any], skip_config: SkipConfig | None, expected: str
) -> None:
    with pytest.raises(InputError) as refusal:
        model_from_original(tensors("state_dict"), sizes(**changes), ViltForQuestionAnswering, skip_config)
    assert expected in str(refusal.value)


def test_missing_weights_are_refused() -> None:
    lacking = {key: value for key, value in tensors("state_dict").items() if not key.startswith("transformer.norm.")}
    with pytest.raises(InputError, match=r"layernorm\.bias: missing\n.*layernorm\.weight: missing"):
        model_from_original(lacking, sizes(), ViltModel)
    headless = {key: value for key, value in tensors("state_dict").items() if not key.startswith("vqa")}
    with pytest.raises(InputError, match="ViltForQuestionAnswering needs the 'vqa' head"):
        model_from_original(headless, sizes(), ViltForQuestionAnswering)


def test_a_class_without_an_original_is_refused() -> None:
    with pytest.raises(InputError, match=r"ViltForMaskedLM cannot be built.*supported: ViltModel, ViltForQuestion"):
        model_from_original(tensors("state_dict"), sizes(), ViltForMaskedLM)
