"""METER as a model family: inserting, skipping, pruning, saving, and what is kept for the backward pass."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoConfig, CLIPVisionModel, PreTrainedModel, RobertaModel, ViltForQuestionAnswering
from typer.testing import CliRunner

from conftest import write_recipe
from skiptune import (
    InputError,
    Plan,
    Run,
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
    load_task,
    parameter_groups,
    predict,
    prune,
    read_recipe,
)
from skiptune.cli import app
from skiptune.cost import example_inputs
from skiptune.families.meter import (
    MeterConfig,
    MeterForImageAndTextRetrieval,
    MeterForQuestionAnswering,
    MeterForVisualEntailment,
    MeterForVisualReasoning,
    MeterModel,
    MeterProcessor,
)
from skiptune.families.meter.modeling import meter_of

FUSION = tuple(f"{stream}.{number}" for stream in ("text", "image") for number in range(3))
GLOBAL = (*FUSION, "roberta.0", "roberta.1", "clip.0", "clip.1")
NONE, BOTTLENECK, LORA = SkipConfig(block_adapter="none"), SkipConfig(), SkipConfig(block_adapter="lora")
EVERYWHERE = SkipConfig(scope="global")
NOISE = 0.05
ANSWERS = 5
Batch = dict[str, Tensor]


def make(config: SkipConfig | None = None, noise: float = 0.0, task: str = "vqa", **changes: Any) -> PreTrainedModel:
    """A tiny METER in evaluation mode; ``noise`` moves every trainable parameter."""
    model = load_model("meter-tiny", task, **{"num_labels": ANSWERS, **changes})
    if config is not None:
        insert(model, config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if noise and parameter.requires_grad:
                parameter += noise * torch.randn(parameter.shape, generator=generator)
    return model.eval()


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Three texts of different length, three images, labels."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, 260, (3, 7), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 5:] = mask[2, 3:] = 0
    ids[mask == 0] = 1
    ids[:, 0] = 0
    pixels = torch.randn(3, 3, 48, 48, generator=generator)
    labels = torch.rand(3, ANSWERS, generator=generator)
    return {"input_ids": ids, "attention_mask": mask, "pixel_values": pixels, "labels": labels}


@torch.no_grad()
def run(model: PreTrainedModel, batch: Batch) -> Any:
    return model(**batch, output_hidden_states=True)


def same(one: Any, other: Any) -> bool:
    """Whether two outputs agree in every bit."""
    pairs = [(one.logits, other.logits), (one.loss, other.loss)]
    for name in ("text_hidden_states", "image_hidden_states"):
        pairs += list(zip(one[name], other[name], strict=True))
    return all(torch.equal(ours, theirs) for ours, theirs in pairs)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


# --- inserting


@pytest.mark.parametrize("config", [BOTTLENECK, LORA, EVERYWHERE, NONE], ids=["bottleneck", "lora", "global", "none"])
def test_inserting_changes_no_bit(config: SkipConfig, batch: Batch) -> None:
    assert same(run(make(), batch), run(make(config), batch))


def test_paper_initialisation_changes_outputs(batch: Batch) -> None:
    assert not same(run(make(), batch), run(make(SkipConfig(init="paper")), batch))


def test_block_names_are_the_released_order_then_the_encoders() -> None:
    assert tuple(blocks_of(make(BOTTLENECK))) == FUSION
    assert tuple(blocks_of(make(EVERYWHERE))) == GLOBAL


def test_adapters_of_each_kind_of_block() -> None:
    """Three block adapters a fusion layer and none in the encoders; skip adapters three eighths of their width."""
    widths = {"text": 32, "image": 32, "roberta": 40, "clip": 48}
    for name, block in blocks_of(make(EVERYWHERE)).items():
        width = widths[name.partition(".")[0]]
        assert block.skip_adapter is not None
        assert (block.skip_adapter.down.in_features, block.skip_adapter.down.out_features) == (width, width // 8 * 3)
        if name in FUSION:
            assert block.block_adapters is not None
            assert [adapter.down.out_features for adapter in block.block_adapters] == [4, 4, 4]
        else:
            assert block.block_adapters is None


def test_trained_are_adapters_small_parts_and_head() -> None:
    model = make(EVERYWHERE)
    groups = parameter_groups(model)
    poolers = {f"meter.{stream}_pooler.dense.{kind}" for stream in ("text", "image") for kind in ("weight", "bias")}
    assert groups["small_parts"].keys() == poolers | {"meter.token_type_embeddings.weight", "meter.token4classifier"}
    assert groups["head"].keys() == {f"classifier.{layer}.{kind}" for layer in (0, 1, 3) for kind in ("weight", "bias")}
    assert len(groups["block_adapters"]) == 6 * 3 * 6
    assert len(groups["skip_adapters"]) == 10 * 6
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == model.state_dict().keys() - groups["body"].keys()


def test_lora_is_on_the_fusion_layers_only() -> None:
    model = make(SkipConfig(block_adapter="lora", scope="global"))
    wrapped = {name.partition(".lora_A")[0] for name, _ in model.named_parameters() if ".lora_A." in name}
    layers = ("self_attention.query", "self_attention.value", "cross_attention.query", "cross_attention.value")
    assert wrapped == {
        f"meter.{stream}_layers.{number}.{layer}"
        for stream in ("text", "image")
        for number in range(3)
        for layer in (*layers, "intermediate", "output")
    }


def test_families_without_encoders_refuse_a_global_search() -> None:
    model = load_model("vilt-tiny", ViltForQuestionAnswering)
    with pytest.raises(InputError, match=r"scope: 'global'.*vilt has none.*'fusion'"):
        insert(model, EVERYWHERE)
    insert(model, BOTTLENECK)
    with pytest.raises(InputError, match="scope: 'everything'; valid: fusion, global"):
        SkipConfig.from_dict({"scope": "everything"})


# --- skipping


SKIPS: dict[SkipConfig, tuple[str, ...]] = {
    BOTTLENECK: ("text.1", "image.0", "image.2"),
    NONE: ("text.0", "text.2", "image.2"),
    EVERYWHERE: ("text.1", "image.2", "roberta.0", "clip.1"),
}


@pytest.mark.parametrize(("config", "skipped"), SKIPS.items(), ids=["bottleneck", "none", "global"])
@pytest.mark.parametrize("task", ["vqa", "nlvr2"])
def test_skipping_equals_pruning_bit_for_bit(
    config: SkipConfig, skipped: tuple[str, ...], task: str, batch: Batch
) -> None:
    if task == "nlvr2":
        pixels = torch.stack((batch["pixel_values"], batch["pixel_values"].flip(0)), 1)
        batch = {**batch, "pixel_values": pixels, "labels": torch.tensor([1, 0, 1])}
    model = make(config, NOISE, task)
    whole = run(model, batch)
    choose(model, skipped)
    by_flag = run(model, batch)
    slim = prune(copy.deepcopy(model), Plan("meter", tuple(blocks_of(model)), skipped))
    assert same(by_flag, run(slim, batch))
    assert not same(by_flag, whole)
    for name, block in blocks_of(slim).items():
        left = {weight.partition(".")[0] for weight in block.state_dict()}
        assert (left <= {"skip_adapter"}) if name in skipped else ("skip_adapter" not in left), name


def test_a_skipped_layer_leaves_the_other_modality_alone(batch: Batch) -> None:
    model = make(BOTTLENECK, NOISE)
    whole = run(model, batch)
    choose(model, ["text.0"])
    output = run(model, batch)
    assert torch.equal(output.image_hidden_states[1], whole.image_hidden_states[1])
    block, before = blocks_of(model)["text.0"], output.text_hidden_states[0]
    with torch.no_grad():
        assert torch.equal(output.text_hidden_states[1], before + block.skip_adapter(before))
    assert not torch.equal(output.image_hidden_states[2], whole.image_hidden_states[2])


def test_padding_changes_nothing(batch: Batch) -> None:
    """A text gives the same alone as in a batch with longer ones."""
    model = make(BOTTLENECK, NOISE)
    with torch.no_grad():
        together = model(**batch).logits[2]
        alone = model(batch["input_ids"][2:, :3], None, batch["pixel_values"][2:]).logits[0]
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-6)


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


@torch.no_grad()
def test_images_of_other_sizes_get_interpolated_positions() -> None:
    model = make()
    for height, width in ((32, 32), (64, 96)):
        output = meter_of(model)(torch.tensor([[0, 9, 2]]), None, torch.randn(1, 3, height, width))
        assert output.image_features.shape == (1, 1 + height // 16 * width // 16, 32)


def test_both_streams_of_a_layer_read_the_layer_below(batch: Batch) -> None:
    meter = meter_of(make())
    with torch.no_grad():
        output = meter(batch["input_ids"], None, batch["pixel_values"], output_hidden_states=True)
        text, image = output.text_hidden_states, output.image_hidden_states
        for number in range(3):
            below = text[number], image[number]
            assert torch.equal(text[number + 1], meter.text_layers[number](*below, None, None))
            assert torch.equal(image[number + 1], meter.image_layers[number](*below[::-1], None, None))


# --- heads


@torch.no_grad()
def test_retrieval_scores_several_texts_an_image(batch: Batch) -> None:
    model = make(task="retrieval")
    assert isinstance(model, MeterForImageAndTextRetrieval)
    texts = torch.stack((batch["input_ids"], batch["input_ids"].roll(1, 0)), 1)
    masks = torch.stack((batch["attention_mask"], batch["attention_mask"].roll(1, 0)), 1)
    output = model(texts, masks, batch["pixel_values"], labels=torch.tensor([0, 1, 0]))
    one_by_one = [model(texts[:, k], masks[:, k], batch["pixel_values"]).logits for k in range(2)]
    assert output.logits.shape == (3, 2)
    assert torch.allclose(output.logits, torch.cat(one_by_one, 1), atol=1e-6)
    chosen = output.logits.log_softmax(1)[range(3), [0, 1, 0]]
    assert torch.allclose(output.loss, -chosen.mean())


@torch.no_grad()
def test_entailment_has_three_classes(batch: Batch) -> None:
    model = make(task="entailment", num_labels=3)
    assert isinstance(model, MeterForVisualEntailment)
    output = model(**{**batch, "labels": torch.tensor([2, 0, 1])})
    assert output.logits.shape == (3, 3)
    assert torch.allclose(output.loss, -output.logits.log_softmax(1)[range(3), [2, 0, 1]].mean())


@torch.no_grad()
def test_visual_reasoning_tells_its_images_apart(batch: Batch) -> None:
    model = make(task="nlvr2", num_labels=2)
    assert isinstance(model, MeterForVisualReasoning)
    pixels = torch.stack((batch["pixel_values"], batch["pixel_values"].flip(0)), 1)
    given = batch["input_ids"], batch["attention_mask"]
    assert not torch.allclose(model(*given, pixels).logits, model(*given, pixels.flip(1)).logits)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: make(task="captioning"), r"task 'captioning': meter has no head for it; valid: vqa, nlvr2"),
        (lambda: make(task="nlvr2", modality_type_vocab_size=2), "modality_type_vocab_size: 2; the second image"),
        (lambda: make(task="nlvr2")(torch.ones(1, 3).long(), None, torch.ones(1, 3, 48, 48)), "needs two images"),
        (lambda: make()(torch.ones(3, 3).long(), None, torch.ones(2, 3, 48, 48)), "2 images for 3 texts"),
        (lambda: make()(torch.ones(3, 3).long()), "0 images for 3 texts"),
        (lambda: MeterConfig(text_start="cls", hidden_size=50), "(?s)text_start: 'cls'.*hidden_size: 50"),
        (lambda: MeterConfig(max_text_length=513), r"max_text_length: 513 is not in \[2, 512\]"),
        (lambda: Vqa("no processor", ["a", "b"]).model_class, "has no attribute|no processor of a supported family"),
    ],
)
def test_mistakes(call: Callable[[], Any], said: str) -> None:
    with pytest.raises((InputError, AttributeError), match=said):
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


@pytest.mark.parametrize("config", [BOTTLENECK, LORA, EVERYWHERE], ids=["bottleneck", "lora", "global"])
def test_slim_models_are_read_again(config: SkipConfig, tmp_path: Path, batch: Batch) -> None:
    model = make(config, NOISE)
    skipped = ("text.1", "image.0", *(("roberta.1", "clip.0") if config.scope == "global" else ()))
    plan = Plan("meter", tuple(blocks_of(model)), skipped)
    export(model, tmp_path / "slim", plan)
    assert same(run(load(tmp_path / "slim"), batch), run(prune(copy.deepcopy(model), plan), batch))


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


# --- the backward pass


@contextmanager
def kept_for_backward() -> Iterator[list[int]]:
    """Collects the storages of tensors that autograd keeps while the block runs."""
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor.untyped_storage().data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def encoder_outputs(model: PreTrainedModel) -> dict[str, list[Tensor]]:
    """Filled in by the next forward pass with what every encoder layer returns."""
    found: dict[str, list[Tensor]] = {"roberta": [], "clip": []}
    meter = meter_of(model)
    for name, layers in (("roberta", meter.roberta.encoder.layer), ("clip", meter.clip.encoder.layers)):
        for layer in layers:
            layer.register_forward_hook(lambda module, given, output, name=name: found[name].append(output))
    return found


def checkpointing(model: PreTrainedModel, *options: dict[str, bool]) -> None:
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable(*options)


@pytest.mark.parametrize("checkpointed", [False, True], ids=["plain", "checkpointed"])
def test_frozen_encoders_get_no_graph(checkpointed: bool, batch: Batch) -> None:
    model = make(BOTTLENECK).train()
    if checkpointed:
        checkpointing(model)
    # what some trainers do for checkpointing; it must not bring the graph back
    meter_of(model).roberta.embeddings.register_forward_hook(lambda module, given, output: output.requires_grad_())
    outputs = encoder_outputs(model)
    with kept_for_backward() as kept:
        loss = model(**batch).loss
    states = [*outputs["roberta"], *outputs["clip"]]
    assert len(states) == 4
    assert not any(state.requires_grad for state in states)
    assert kept
    assert not {state.untyped_storage().data_ptr() for state in states} & set(kept)
    loss.backward()
    assert gradients(model).keys() == {
        name for name, weight in model.named_parameters() if weight.requires_grad and "skip_adapter" not in name
    }


def test_nothing_is_kept_when_everything_is_frozen(batch: Batch) -> None:
    model = make(BOTTLENECK).train().requires_grad_(False)
    with kept_for_backward() as kept:
        loss = model(**batch).loss
    assert not kept
    checkpointing(model)
    outputs = encoder_outputs(model)
    assert not loss.requires_grad
    assert not model(**batch).loss.requires_grad
    assert not any(state.requires_grad for states in outputs.values() for state in states)


@pytest.mark.parametrize("checkpointed", [False, True], ids=["plain", "checkpointed"])
def test_the_graph_starts_at_the_lowest_trained_part(checkpointed: bool, batch: Batch) -> None:
    """A skip adapter in the upper CLIP block: nothing below it, nor RoBERTa, is recorded."""
    model = make(EVERYWHERE, NOISE).train()
    if checkpointed:
        checkpointing(model)
    choose(model, ["clip.1"])
    outputs = encoder_outputs(model)
    model(**batch).loss.backward()
    assert [state.requires_grad for state in outputs["clip"]] == [False, True]
    assert [state.requires_grad for state in outputs["roberta"]] == [False, False]
    assert gradients(model)["meter.clip.encoder.layers.1.skip_adapter.up.weight"].any()


def test_reentrant_checkpointing_is_refused() -> None:
    with pytest.raises(InputError, match="use_reentrant=True loses gradients"):
        checkpointing(make(), {"use_reentrant": True})


@pytest.mark.parametrize("skipped", [(), ("text.0", "image.1", "roberta.0", "clip.1")], ids=["whole", "skipped"])
def test_checkpointing_gives_the_same_gradients(skipped: tuple[str, ...], batch: Batch) -> None:
    """Without dropout. Everything is trained, so that the encoders are checkpointed too."""
    found = []
    for checkpointed in (False, True):
        model = make(EVERYWHERE, NOISE, hidden_dropout_prob=0.0).train()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        model.requires_grad_(True)
        choose(model, skipped)
        if checkpointed:
            checkpointing(model)
        model(**batch).loss.backward()
        found.append(gradients(model))
    plain, recomputed = found
    assert plain.keys() == recomputed.keys()
    assert any("roberta" in name for name in plain)
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)


# --- costs, and a whole run


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


@pytest.mark.parametrize(("scope", "skip"), [("fusion", "text.0,image.2"), ("global", "text.0,roberta.1,clip.0")])
def test_command_counts(scope: str, skip: str) -> None:
    done = CliRunner().invoke(app, ["cost", "meter-tiny", "--skip", skip, "--scope", scope, "--labels", "5", "--json"])
    table = json.loads(done.stdout)
    assert table["skipped"] == skip.split(",")
    assert table["blocks"] == list(FUSION if scope == "fusion" else GLOBAL)
    assert table["macs_g"]["with_plan"] < table["macs_g"]["original"] < table["macs_g"]["with_adapters"]


def test_a_whole_run(data_folder: Path, tmp_path: Path) -> None:
    """Search, training, full tuning beside it, export and report; and an answer from the slim model."""
    given = {"output": str(tmp_path / "run"), "model": "meter-tiny", "adapters": {"scope": "global"}}
    short = {"search": {"max_steps": 6, "interval": 2}, "train": {"max_steps": 3, "batch_size": 8}}
    path = write_recipe(tmp_path / "recipe.yaml", data_folder, **given, **short, baselines=["full"])
    results = Run(read_recipe(str(path))).all()
    assert results["plan"]["blocks"] == list(GLOBAL)
    assert results["baselines"]["full"]["skipped"] == []
    assert len(results["plan"]["skipped"]) == 2
    slim = load(tmp_path / "run" / "slim")
    answers = predict(slim, load_task(tmp_path / "run" / "slim", slim), data_folder / "images" / "0.png", "colour?")
    assert {entry["answer"] for entry in answers} <= {"red", "green", "blue", "yellow"}
