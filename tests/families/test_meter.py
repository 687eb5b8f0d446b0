"""METER as a model family: its structure, saving, costs. What it shares with BridgeTower: test_two_streams.py."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoConfig, CLIPVisionModel, RobertaModel, ViltForQuestionAnswering

import two_streams
from skiptune import (
    InputError,
    Plan,
    SkipConfig,
    Vqa,
    blocks_of,
    choose,
    count_macs,
    count_parameters,
    export,
    insert,
    load,
    load_model,
    load_processor,
    parameter_groups,
    prune,
)
from skiptune.costs.example_inputs import example_inputs
from skiptune.families.meter import MeterConfig, MeterForQuestionAnswering, MeterModel, MeterProcessor
from skiptune.families.meter.modeling import meter_of
from two_streams import ANSWERS, BOTTLENECK, EVERYWHERE, NOISE, Batch, make_batch, run, same

make = partial(two_streams.make, "meter")


@pytest.fixture(scope="module")
def batch() -> Batch:
    return make_batch()


# --- inserting


def test_small_parts_are_poolers_token_types_and_start_token() -> None:
    groups = parameter_groups(make(EVERYWHERE))
    poolers = {f"meter.{stream}_pooler.dense.{kind}" for stream in ("text", "image") for kind in ("weight", "bias")}
    assert groups["small_parts"].keys() == poolers | {"meter.token_type_embeddings.weight", "meter.token4classifier"}


def test_families_without_encoders_refuse_a_global_search() -> None:
    model = load_model("vilt-tiny", ViltForQuestionAnswering)
    with pytest.raises(InputError, match=r"scope: 'global'.*vilt has none.*'fusion'"):
        insert(model, EVERYWHERE)
    insert(model, BOTTLENECK)
    with pytest.raises(InputError, match="scope: 'everything'; valid: fusion, global"):
        SkipConfig.from_dict({"scope": "everything"})


# --- the original's structure


@torch.no_grad()
def test_start_token_replaces_the_first_position_only(batch: Batch) -> None:
    plain, token = (make(text_start=start) for start in ("roberta", "token"))
    token.load_state_dict(plain.state_dict(), strict=False)
    before, after = (run(model, batch).text_hidden_states[0] for model in (plain, token))
    assert torch.equal(before[:, 1:], after[:, 1:])
    meter = meter_of(token)
    expected = meter.token4classifier[0, 0] + meter.token_type_embeddings.weight[0]
    assert torch.equal(after[:, 0], expected.expand(3, -1))
    assert meter_of(plain).token4classifier is None


def test_start_token_starts_as_robertas_embedding_even_when_a_checkpoint_lacks_it(tmp_path: Path) -> None:
    text = {**load_model("meter-tiny", "vqa").config.text_config.to_dict(), "hidden_size": 32}
    model = make(text_start="roberta", text_config=MeterConfig(text_config=text, max_text_length=64).text_config)
    model.save_pretrained(tmp_path)
    meter = meter_of(load_model(str(tmp_path), "vqa", text_start="token"))
    assert meter.token4classifier is not None
    words = meter_of(model).roberta.embeddings.word_embeddings.weight
    assert torch.equal(meter.token4classifier[0, 0], words[0])
    assert words[0].any()


@torch.no_grad()
def test_encoders_are_transformers_own(batch: Batch) -> None:
    meter = meter_of(make())
    output = meter(batch["input_ids"], batch["attention_mask"], batch["pixel_values"])
    roberta, clip = (
        RobertaModel(meter.config.text_config, add_pooling_layer=False).eval(),
        CLIPVisionModel(meter.config.vision_config).eval(),
    )
    roberta.load_state_dict(meter.roberta.state_dict())
    clip.load_state_dict(meter.clip.state_dict())
    text = roberta(batch["input_ids"], batch["attention_mask"]).last_hidden_state
    image = clip(batch["pixel_values"], interpolate_pos_encoding=True)
    assert torch.equal(output.text_encoder_output, text)
    assert torch.equal(output.image_encoder_output[:, 0], image.pooler_output)
    assert torch.equal(output.image_encoder_output, clip.post_layernorm(image.last_hidden_state))


def test_both_streams_of_a_layer_read_the_layer_below(batch: Batch) -> None:
    meter = meter_of(make())
    with torch.no_grad():
        output = meter(batch["input_ids"], None, batch["pixel_values"], output_hidden_states=True)
        text, image = output.text_hidden_states, output.image_hidden_states
        for number in range(3):
            below = text[number], image[number]
            assert torch.equal(text[number + 1], meter.text_layers[number](*below, None, None))
            assert torch.equal(image[number + 1], meter.image_layers[number](*below[::-1], None, None))


# --- mistakes


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: make(task="reasoning", modality_type_vocab_size=2), "modality_type_vocab_size: 2; the second image"),
        (lambda: MeterConfig(text_start="cls", hidden_size=50), "(?s)text_start: 'cls'.*hidden_size: 50"),
        (lambda: MeterConfig(max_text_length=513), r"max_text_length: 513 is not in \[2, 512\]"),
        (lambda: Vqa("no processor", ["a", "b"]).model_class, "processor: 'no processor' is none"),
    ],
)
def test_mistakes(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()


# --- saving


def test_saved_and_read_again(tmp_path: Path, batch: Batch) -> None:
    model = make(noise=NOISE)
    model.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, MeterConfig)
    assert config.to_diff_dict() == model.config.to_diff_dict()
    read, report = MeterForQuestionAnswering.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert same(run(model, batch), run(read.eval(), batch))
    assert read.config.num_labels == ANSWERS
    body = MeterModel.from_pretrained(tmp_path)
    assert torch.equal(body.text_projection.weight, meter_of(model).text_projection.weight)


def test_adapters_are_read_again_beside_a_base_without_start_token(tmp_path: Path, batch: Batch) -> None:
    make(text_start="roberta").save_pretrained(tmp_path / "base")
    model = insert(load_model(str(tmp_path / "base"), "vqa", text_start="token")).eval()
    choose(model, ["image.1"])
    export(model, tmp_path / "slim", form="adapters")
    found = load(tmp_path / "slim")
    assert meter_of(found).token4classifier is not None
    assert same(run(found, batch), run(model, batch))


def test_a_body_alone_gets_a_head(tmp_path: Path, batch: Batch) -> None:
    body = meter_of(make())
    body.save_pretrained(tmp_path)
    model = load_model(str(tmp_path), "vqa", num_labels=ANSWERS).eval()
    given = [batch[name] for name in ("input_ids", "attention_mask", "pixel_values")]
    with torch.no_grad():
        assert torch.equal(meter_of(model)(*given).pooler_output, body(*given).pooler_output)
    assert model.classifier[3].out_features == ANSWERS


def test_processor_round_trip(tmp_path: Path) -> None:
    processor = load_processor("meter-tiny")
    assert isinstance(processor, MeterProcessor)
    make().save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    read = load_processor(str(tmp_path))
    assert isinstance(read, MeterProcessor)
    image = Image.new("RGB", (100, 30), (255, 0, 128))
    for each in (processor, read):
        given = each(images=image, text="colour?", return_tensors="pt")
        assert given["pixel_values"].shape == (1, 3, 48, 48)
        mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])
        spread = torch.tensor([0.26862954, 0.26130258, 0.27577711])
        colour = (torch.tensor([1.0, 0.0, 128 / 255]) - mean) / spread
        assert torch.allclose(given["pixel_values"][0, :, 20, 20], colour, atol=1e-5)
        assert given["input_ids"][0, 0] == 0
        assert given["input_ids"][0, -1] == 2
        assert given["input_ids"].shape == (1, 2 + len("colour?"))
        assert each.tokenizer.decode(given["input_ids"][0], skip_special_tokens=True) == "colour?"


# --- costs


WIDTH, MLP, BLOCK_ADAPTER, SKIP_ADAPTER, LABELS = 768, 3072, 96, 288, 3129


def by_hand(side: int, text: int, skipped: tuple[int, int] = (0, 0), adapters: bool = True) -> float:
    """Multiply-accumulates of METER-B/16 in G, from the shapes of the matrix products; ``skipped``: text, image."""
    patches = (side // 16) ** 2
    tokens = {"text": text, "image": 1 + patches}
    total = patches * 3 * 16**2 * WIDTH + 2 * WIDTH**2  # patch embedding, two poolers
    for number, stream in enumerate(("text", "image")):
        own, other = tokens[stream], tokens["image" if stream == "text" else "text"]
        encoder = own * (4 * WIDTH**2 + 2 * WIDTH * MLP) + 2 * own**2 * WIDTH
        fusion = own * (6 * WIDTH**2 + 2 * WIDTH * MLP) + other * 2 * WIDTH**2 + 2 * own * (own + other) * WIDTH
        fusion += adapters * 3 * own * 2 * WIDTH * BLOCK_ADAPTER
        gone = skipped[number]
        total += (12 if stream == "text" else 11) * encoder + own * WIDTH**2
        total += (6 - gone) * fusion + gone * own * 2 * WIDTH * SKIP_ADAPTER
    return (total + (2 * WIDTH) ** 2 + 2 * WIDTH * LABELS) / 1e9


@pytest.fixture(scope="module")
def base() -> MeterForQuestionAnswering:
    """METER-B/16 without memory for its weights: enough to count with."""
    with torch.device("meta"):
        return MeterForQuestionAnswering(MeterConfig(num_labels=LABELS, text_start="token"))


@pytest.mark.parametrize("side", [384, 288])
def test_the_papers_table(base: MeterForQuestionAnswering, side: int) -> None:
    """Original, with adapters, and two text and two image layers skipped."""
    inputs = {name: value for name, value in example_inputs(base, (side, side), 40).items() if name != "attention_mask"}
    assert count_macs(base, inputs) == pytest.approx(by_hand(side, 40, adapters=False), rel=1e-6)
    adapted = insert(copy.deepcopy(base))
    assert count_macs(adapted, inputs) == pytest.approx(by_hand(side, 40), rel=1e-6)
    prune(adapted, Plan("meter", tuple(blocks_of(adapted)), ("text.0", "text.1", "image.0", "image.1")))
    assert count_macs(adapted, inputs) == pytest.approx(by_hand(side, 40, (2, 2)), rel=1e-6)


def test_formula_gives_the_papers_numbers() -> None:
    for side, original, adapted, text_layer, image_layer in (
        (384, 93.13, 94.77, 1.049, 5.359),
        (288, 52.82, 53.79, 0.736, 2.913),
    ):
        whole = by_hand(side, 40)
        assert by_hand(side, 40, adapters=False) == pytest.approx(original, abs=0.01)
        assert whole == pytest.approx(adapted, abs=0.01)
        assert whole - by_hand(side, 40, (1, 0)) == pytest.approx(text_layer, abs=0.001)
        assert whole - by_hand(side, 40, (0, 1)) == pytest.approx(image_layer, abs=0.001)
    assert by_hand(384, 40, (2, 2)) - by_hand(384, 40, adapters=False) == pytest.approx(-11.18, abs=0.01)


def test_parameters_to_the_last_one(base: MeterForQuestionAnswering) -> None:
    for config in (SkipConfig(), SkipConfig.paper()):
        counts = count_parameters(insert(copy.deepcopy(base), config))
        assert (counts["block_adapters"], counts["skip_adapters"]) == (5_394_816, 5_339_520)
    everywhere = insert(copy.deepcopy(base), EVERYWHERE)
    assert len(blocks_of(everywhere)) == 12 + 12 + 11
    assert count_parameters(everywhere)["block_adapters"] == 5_394_816
