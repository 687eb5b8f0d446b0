"""METER against numbers made by running the authors' released code (../shared/golden)."""

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
from torch.nn.functional import linear
from transformers import PreTrainedModel

from skiptune import InputError, Plan, SkipConfig, blocks_of, choose, prune
from skiptune.converting import model_from_original, read_original, released_blocks
from skiptune.families.meter import (
    MeterConfig,
    MeterForImageAndTextRetrieval,
    MeterForQuestionAnswering,
    MeterForVisualEntailment,
    MeterForVisualReasoning,
    MeterModel,
)

GOLDEN = Path(__file__).parents[2] / ".." / "shared" / "golden"
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
    assert {name: difference for name, difference in differences.items() if not difference <= TOLERANCE} == {}


@torch.inference_mode()
@pytest.mark.parametrize("skips", SKIP_SETS)
@pytest.mark.parametrize("model_class", [MeterForQuestionAnswering, MeterForImageAndTextRetrieval])
def test_skipping_equals_pruning_bit_for_bit(model_class: type[PreTrainedModel], skips: str) -> None:
    model = build(model_class, skips)
    slim = copy.deepcopy(model)
    prune(slim, Plan("meter", tuple(blocks_of(slim)), released_blocks(model, settings()["skip_sets"][skips])))
    by_flag, by_pruning = (each(**inputs(), output_hidden_states=True) for each in (model, slim))
    assert torch.equal(by_flag.logits, by_pruning.logits)
    for stream in ("text_hidden_states", "image_hidden_states"):
        assert all(map(torch.equal, by_flag[stream], by_pruning[stream]))
    assert by_flag.logits.isfinite().all()
    assert count(slim) < count(model)


@torch.inference_mode()
def test_skip_sets_differ() -> None:
    logits = [build(MeterForQuestionAnswering, skips)(**inputs()).logits for skips in SKIP_SETS]
    assert not any(torch.equal(logits[one], logits[other]) for one, other in ((0, 1), (0, 2), (1, 2)))


def test_released_skip_lists_name_text_layers_then_image_layers() -> None:
    model = build(MeterForQuestionAnswering, "noskip")
    assert released_blocks(model, settings()["skip_sets"]["skipA"]) == ("text.2", "text.3", "image.2", "image.5")
    with pytest.raises(InputError, match=r"skipped blocks \[12\]: the released code numbers them 0 to 11"):
        released_blocks(model, [3, 12])


def test_layer_norm_epsilons_are_the_original_ones() -> None:
    config = sizes()
    model = model_from_original(tensors("state_dict"), config, MeterForQuestionAnswering, ADAPTERS)
    epsilons = {name: module.eps for name, module in model.named_modules() if isinstance(module, torch.nn.LayerNorm)}
    for name, epsilon in epsilons.items():
        fusion = name.startswith(("meter.text_layers", "meter.image_layers")) and "adapter" not in name
        assert epsilon == (1e-12 if fusion else 1e-5), name
    assert config.text_config.layer_norm_eps == 1e-12, "the caller's configuration was changed"


def test_building_draws_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    build(MeterForQuestionAnswering, "skipA")
    assert torch.equal(torch.get_rng_state(), before)


@torch.inference_mode()
def test_adapters_start_afresh_when_the_checkpoint_has_none() -> None:
    plain = {key: value for key, value in tensors("state_dict").items() if "adapter" not in key}
    model = model_from_original(plain, sizes(text_start="roberta"), MeterForQuestionAnswering, ADAPTERS)
    assert all(block.block_adapters is not None for block in blocks_of(model).values())
    assert relative(model(**inputs()).logits, tensors("out_orig_noadapter")["vqa_logits"]) <= TOLERANCE


# --- names


LEFT_OUT = {
    "das_gate",
    "skip_num",
    "text_transformer.embeddings.position_ids",
    "text_transformer.pooler.dense.bias",
    "text_transformer.pooler.dense.weight",
    "vit_model.ln_final.bias",
    "vit_model.ln_final.weight",
    "vit_model.positional_embedding",
}


def test_every_key_is_accounted_for() -> None:
    state = tensors("state_dict")
    weights = read_original(state)
    read = len(weights.body) + len(weights.adapters) + sum(len(head) for head in weights.heads.values())
    assert weights.heads.keys() == {"vqa", "nlvr2", "itm", "rank"}
    assert state.keys() >= LEFT_OUT
    joint = sum(".in_proj_" in key for key in state)
    assert read == len(state) + 2 * joint - len(LEFT_OUT), "each in_proj makes three"


def test_other_checkpoints_are_read_too() -> None:
    """CLIP's own text side and last block, other task heads and pre-training heads; none of it changes the model."""
    state = dict(tensors("state_dict"))
    last = {key.replace("resblocks.1.", "resblocks.2."): value for key, value in state.items() if "resblocks.1." in key}
    nothing = torch.zeros(1)
    more = {
        "vit_model.visual.proj": nothing,
        "vit_model.text_projection": nothing,
        "vit_model.logit_scale": nothing,
        "vit_model.token_embedding.weight": nothing,
        "vit_model.transformer.resblocks.0.attn.in_proj_weight": nothing,
        "vit_model.transformer.resblocks.0.mlp.c_fc.bias": nothing,
        "mlm_score.transform.dense.weight": nothing,
        "mlm_score.transform.LayerNorm.bias": nothing,
        "mlm_score.decoder.weight": nothing,
        "mlm_score.bias": nothing,
    }
    model = model_from_original(state | last | more, sizes(), MeterModel)
    plain = model_from_original(state, sizes(), MeterModel)
    assert len(last) == 12
    assert model.state_dict().keys() == plain.state_dict().keys()
    assert all(map(torch.equal, model.state_dict().values(), plain.state_dict().values()))
    with pytest.raises(InputError, match=r"clip\.encoder\.layers\.2\.mlp\.fc1\.bias: left over"):
        model_from_original(state | last, sizes(vision_config=one_block_less()), MeterModel)


def one_block_less() -> Any:
    vision = sizes().vision_config
    vision.num_hidden_layers -= 1
    return vision


def test_entailment_head() -> None:
    state = tensors("state_dict")
    snli = {key.replace("nlvr2", "snli"): value for key, value in state.items() if key.startswith("nlvr2_classifier.1")}
    width = 2 * sizes().hidden_size
    snli |= {f"snli_classifier.0.{kind}": state[f"vqa_classifier.0.{kind}"] for kind in ("weight", "bias")}
    snli |= {"snli_classifier.3.weight": torch.ones(3, width), "snli_classifier.3.bias": torch.ones(3)}
    model = model_from_original(state | snli, sizes(num_labels=3), MeterForVisualEntailment)
    assert torch.equal(model.classifier[0].weight, state["vqa_classifier.0.weight"])
    assert torch.equal(model.classifier[3].weight, torch.ones(3, width))


def test_what_older_checkpoints_lack_is_filled_in() -> None:
    """Original METER: two token types, no start token; a pre-trained one has a matching head but no rank head."""
    state = {key: value for key, value in tensors("state_dict").items() if not key.startswith(("rank", "token4"))}
    rows = state["token_type_embeddings.weight"][:2]
    model = model_from_original(state | {"token_type_embeddings.weight": rows}, sizes(), MeterForImageAndTextRetrieval)
    assert torch.equal(model.meter.token_type_embeddings.weight, torch.cat((rows, rows[1:])))
    start = state["text_transformer.embeddings.word_embeddings.weight"][0]
    assert torch.equal(model.meter.token4classifier[0, 0], start)
    assert torch.equal(model.rank_output.weight, state["itm_score.fc.weight"][1:])
    assert torch.equal(model.rank_output.bias, state["itm_score.fc.bias"][1:])


def test_all_leftover_keys_are_named() -> None:
    state = tensors("state_dict") | {
        "cross_modal_text_layers.0.adapter2.down_proj.weight": torch.zeros(1),
        "vit_model.visual.attnpool.weight": torch.zeros(1),
        "gate": torch.zeros(12),
    }
    with pytest.raises(InputError) as refusal:
        read_original(state)
    assert "original METER" in str(refusal.value)
    for key in ("cross_modal_text_layers.0.adapter2.down_proj.weight", "vit_model.visual.attnpool.weight", "gate"):
        assert f"- {key}: unknown key" in str(refusal.value)
    assert str(refusal.value).count("unknown key") == 3


@pytest.mark.parametrize(
    ("changes", "skip_config", "expected"),
    [
        ({"num_labels": 39}, None, "classifier.3.weight: (40, 96), the model has (39, 96)"),
        ({}, SkipConfig(block_width=9, skip_width=24), "block_adapters.0.down.weight: (8, 48), the model has (9, 48)"),
        ({}, SkipConfig(block_adapter="none"), "meter.text_layers.0.skip_adapter.up.bias: left over"),
        ({"num_top_layers": 7}, None, "meter.image_layers.6.output.weight: missing"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    changes: dict[str, Any], skip_config: SkipConfig | None, expected: str
) -> None:
    with pytest.raises(InputError) as refusal:
        model_from_original(tensors("state_dict"), sizes(**changes), MeterForQuestionAnswering, skip_config)
    assert expected in str(refusal.value)


def test_missing_weights_are_refused() -> None:
    lacking = {key: value for key, value in tensors("state_dict").items() if "ln_post" not in key}
    with pytest.raises(InputError, match=r"post_layernorm\.bias: missing\n.*post_layernorm\.weight: missing"):
        model_from_original(lacking, sizes(), MeterModel)
    with pytest.raises(InputError, match="MeterForVisualEntailment needs the 'snli' head; there are only: itm, nlvr2"):
        model_from_original(tensors("state_dict"), sizes(), MeterForVisualEntailment)
