"""What METER and BridgeTower have in common: skipping, pruning, saving, heads, and what is kept for backward."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from conftest import write_recipe
from skiptune import (
    InputError,
    Plan,
    Run,
    SkipConfig,
    blocks_of,
    choose,
    export,
    load,
    load_task,
    parameter_groups,
    predict,
    prune,
    read_recipe,
)
from skiptune.cli.main import app
from two_streams import (
    BOTTLENECK,
    ENCODER_LAYERS,
    EVERYWHERE,
    FUSION,
    LORA,
    NOISE,
    NONE,
    Batch,
    checkpointing,
    encoder_outputs,
    global_blocks,
    gradients,
    kept_for_backward,
    make,
    make_batch,
    run,
    same,
    text_embeddings,
)


@pytest.fixture(params=["meter", "bridgetower"])
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def batch() -> Batch:
    return make_batch()


# --- inserting


@pytest.mark.parametrize("config", [BOTTLENECK, LORA, EVERYWHERE], ids=["bottleneck", "lora", "global"])
def test_inserting_changes_no_bit(config: SkipConfig, family: str, batch: Batch) -> None:
    """Against our layers without adapters; those against transformers' own: test_bridgetower.py."""
    assert same(run(make(family, NONE), batch), run(make(family, config), batch))


def test_paper_initialisation_changes_outputs(family: str, batch: Batch) -> None:
    assert not same(run(make(family, NONE), batch), run(make(family, SkipConfig(init="paper")), batch))


def test_block_names_are_the_released_order_then_the_encoders(family: str) -> None:
    assert tuple(blocks_of(make(family, BOTTLENECK))) == FUSION
    assert tuple(blocks_of(make(family, EVERYWHERE))) == global_blocks(family)


def test_adapters_of_each_kind_of_block(family: str) -> None:
    """Three block adapters a fusion layer and none in the encoders; skip adapters three eighths of their width."""
    encoders = {"meter": {"roberta": 40, "clip": 48}, "bridgetower": {"roberta": 32, "clip": 64}}
    widths = {"text": 32, "image": 32, **encoders[family]}
    for name, block in blocks_of(make(family, EVERYWHERE)).items():
        width = widths[name.partition(".")[0]]
        assert block.skip_adapter is not None
        assert (block.skip_adapter.down.in_features, block.skip_adapter.down.out_features) == (width, width // 8 * 3)
        if name in FUSION:
            assert block.block_adapters is not None
            assert [adapter.down.out_features for adapter in block.block_adapters] == [4, 4, 4]
        else:
            assert block.block_adapters is None


def test_all_but_the_body_is_trained(family: str) -> None:
    model = make(family, EVERYWHERE)
    groups = parameter_groups(model)
    assert groups["head"].keys() == {f"classifier.{layer}.{kind}" for layer in (0, 1, 3) for kind in ("weight", "bias")}
    assert len(groups["block_adapters"]) == 6 * 3 * 6
    assert len(groups["skip_adapters"]) == len(global_blocks(family)) * 6
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained == model.state_dict().keys() - groups["body"].keys()


LAYERS = {
    "meter": ("self_attention.{0}", "cross_attention.{0}", "intermediate", "output", "meter.{0}_layers"),
    "bridgetower": (
        "attention.self.{0}",
        "crossattention.self.{0}",
        "intermediate.dense",
        "output.dense",
        "bridgetower.cross_modal_{0}_layers",
    ),
}


def test_lora_is_on_the_fusion_layers_only(family: str) -> None:
    model = make(family, SkipConfig(block_adapter="lora", scope="global"))
    wrapped = {name.partition(".lora_A")[0] for name, _ in model.named_parameters() if ".lora_A." in name}
    own, cross, intermediate, output, stack = LAYERS[family]
    projections = [attention.format(part) for attention in (own, cross) for part in ("query", "value")]
    assert wrapped == {
        f"{stack.format(stream)}.{number}.{layer}"
        for stream in ("text", "image")
        for number in range(3)
        for layer in (*projections, intermediate, output)
    }


# --- skipping


SKIPS: dict[SkipConfig, tuple[str, ...]] = {
    BOTTLENECK: ("text.1", "image.0", "image.2"),
    NONE: ("text.0", "text.2", "image.2"),
    EVERYWHERE: ("text.1", "image.2", "roberta.0", "clip.1"),
}


@pytest.mark.parametrize(("config", "skipped"), SKIPS.items(), ids=["bottleneck", "none", "global"])
@pytest.mark.parametrize("task", ["vqa", "reasoning"])
def test_skipping_equals_pruning_bit_for_bit(
    config: SkipConfig, skipped: tuple[str, ...], task: str, family: str, batch: Batch
) -> None:
    if task == "reasoning":
        pixels = torch.stack((batch["pixel_values"], batch["pixel_values"].flip(0)), 1)
        batch = {**batch, "pixel_values": pixels, "labels": torch.tensor([1, 0, 1])}
    model = make(family, config, NOISE, task)
    whole = run(model, batch)
    choose(model, skipped)
    by_flag = run(model, batch)
    slim = prune(copy.deepcopy(model), Plan(family, tuple(blocks_of(model)), skipped))
    assert same(by_flag, run(slim, batch))
    assert not same(by_flag, whole)
    for name, block in blocks_of(slim).items():
        left = {weight.partition(".")[0] for weight in block.state_dict()}
        assert (left <= {"skip_adapter"}) if name in skipped else ("skip_adapter" not in left), name


def test_a_skipped_layer_leaves_the_other_modality_alone(family: str, batch: Batch) -> None:
    model = make(family, BOTTLENECK, NOISE)
    whole = run(model, batch)
    given = []
    blocks_of(model)["text.0"].register_forward_hook(lambda module, inputs, output: given.append(inputs[0]))
    choose(model, ["text.0"])
    output = run(model, batch)
    with torch.no_grad():
        expected = given[0] + blocks_of(model)["text.0"].skip_adapter(given[0])
    assert torch.equal(output.text_hidden_states[-3], expected)
    assert torch.equal(output.image_hidden_states[-3], whole.image_hidden_states[-3])
    assert not torch.equal(output.image_hidden_states[-2], whole.image_hidden_states[-2])


def test_padding_changes_nothing(family: str, batch: Batch) -> None:
    """A text gives the same alone as in a batch with longer ones."""
    model = make(family, BOTTLENECK, NOISE)
    with torch.no_grad():
        together = model(**batch).logits[2]
        alone = model(batch["input_ids"][2:, :3], None, batch["pixel_values"][2:]).logits[0]
        blind = model(batch["input_ids"], None, batch["pixel_values"]).logits[2]
    assert torch.allclose(together, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(blind, alone, rtol=1e-4, atol=1e-5), "the mask makes no difference here"


# --- heads


@torch.no_grad()
def test_retrieval_scores_several_texts_an_image(family: str, batch: Batch) -> None:
    model = make(family, NONE, task="retrieval")
    texts = torch.stack((batch["input_ids"], batch["input_ids"].roll(1, 0)), 1)
    masks = torch.stack((batch["attention_mask"], batch["attention_mask"].roll(1, 0)), 1)
    images = encoder_outputs(model)["clip"]
    output = model(texts, masks, batch["pixel_values"], labels=torch.tensor([0, 1, 0]))
    assert images[0].shape[:2] in ((3, 10), (10, 3)), "every image is encoded once"
    one_by_one = [model(texts[:, k], masks[:, k], batch["pixel_values"]).logits for k in range(2)]
    assert output.logits.shape == (3, 2)
    torch.testing.assert_close(output.logits, torch.cat(one_by_one, 1), rtol=1e-5, atol=1e-5)
    chosen = output.logits.log_softmax(1)[range(3), [0, 1, 0]]
    assert torch.allclose(output.loss, -chosen.mean())


@torch.no_grad()
def test_entailment_has_three_classes(family: str, batch: Batch) -> None:
    output = make(family, task="entailment", num_labels=3)(**{**batch, "labels": torch.tensor([2, 0, 1])})
    assert output.logits.shape == (3, 3)
    assert torch.allclose(output.loss, -output.logits.log_softmax(1)[range(3), [2, 0, 1]].mean())


@torch.no_grad()
def test_visual_reasoning_tells_its_images_apart(family: str, batch: Batch) -> None:
    model = make(family, task="reasoning", num_labels=2)
    pixels = torch.stack((batch["pixel_values"], batch["pixel_values"].flip(0)), 1)
    given = batch["input_ids"], batch["attention_mask"]
    assert not torch.allclose(model(*given, pixels).logits, model(*given, pixels.flip(1)).logits)


@torch.no_grad()
def test_images_of_other_sizes_get_interpolated_positions(family: str) -> None:
    model, ids = make(family), torch.tensor([[0, 9, 2]])
    for height, width in ((32, 32), (64, 96)):
        output = run(model, {"input_ids": ids, "pixel_values": torch.randn(1, 3, height, width)})
        assert output.image_hidden_states[-1].shape == (1, 1 + height // 16 * width // 16, 32)


def padded(pixels: int) -> dict[str, Any]:
    mask = torch.ones(1, 48, 48)
    mask[..., pixels:] = 0
    return {"input_ids": torch.ones(1, 3).long(), "pixel_values": torch.ones(1, 3, 48, 48), "pixel_mask": mask}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda f: make(f, task="boxes"), r"task 'boxes': \w+ has no head for it; valid: vqa, reasoning"),
        (
            lambda f: make(f, task="reasoning")(torch.ones(1, 3).long(), None, torch.ones(1, 3, 48, 48)),
            "needs two images",
        ),
        (lambda f: make(f)(torch.ones(3, 3).long(), None, torch.ones(2, 3, 48, 48)), "2 images for 3 texts"),
        (lambda f: make(f)(torch.ones(3, 3).long()), "0 images for 3 texts"),
        (lambda f: make(f)(**padded(40)), "pixel_mask: some images are padded"),
    ],
)
def test_mistakes(call: Callable[[str], Any], said: str, family: str) -> None:
    with pytest.raises(InputError, match=said):
        call(family)
    assert make(family)(**padded(48)).logits.shape == (1, 5)


# --- saving


@pytest.mark.parametrize("config", [BOTTLENECK, LORA, EVERYWHERE], ids=["bottleneck", "lora", "global"])
def test_slim_models_are_read_again(config: SkipConfig, family: str, tmp_path: Path, batch: Batch) -> None:
    model = make(family, config, NOISE)
    skipped = ("text.1", "image.0", *(("roberta.1", "clip.0") if config.scope == "global" else ()))
    plan = Plan(family, tuple(blocks_of(model)), skipped)
    export(model, tmp_path / "slim", plan)
    assert same(run(load(tmp_path / "slim"), batch), run(prune(copy.deepcopy(model), plan), batch))


# --- the backward pass


@pytest.mark.parametrize("checkpointed", [False, True], ids=["plain", "checkpointed"])
def test_frozen_encoders_get_no_graph(checkpointed: bool, family: str, batch: Batch) -> None:
    model = make(family, BOTTLENECK).train()
    if checkpointed:
        checkpointing(model)
    # what some trainers do for checkpointing; it must not bring the graph back
    model.enable_input_require_grads()
    text_embeddings(model).register_forward_hook(lambda module, given, output: output.requires_grad_())
    outputs = encoder_outputs(model)
    with kept_for_backward() as kept:
        loss = model(**batch).loss
    states = [*outputs["roberta"], *outputs["clip"]]
    assert len(states) == 2 * ENCODER_LAYERS[family]
    assert not any(state.requires_grad for state in states)
    assert kept
    assert not {state.untyped_storage().data_ptr() for state in states} & set(kept)
    loss.backward()
    assert gradients(model).keys() == {
        name for name, weight in model.named_parameters() if weight.requires_grad and "skip_adapter" not in name
    }


def test_nothing_is_kept_when_everything_is_frozen(family: str, batch: Batch) -> None:
    model = make(family, BOTTLENECK).train().requires_grad_(False)
    with kept_for_backward() as kept:
        loss = model(**batch).loss
    assert not kept
    checkpointing(model)
    outputs = encoder_outputs(model)
    assert not loss.requires_grad
    assert not model(**batch).loss.requires_grad
    assert not any(state.requires_grad for states in outputs.values() for state in states)


@pytest.mark.parametrize("checkpointed", [False, True], ids=["plain", "checkpointed"])
def test_the_graph_starts_at_the_lowest_trained_part(checkpointed: bool, family: str, batch: Batch) -> None:
    """A skip adapter in the second CLIP block: nothing below it, nor RoBERTa, is recorded."""
    model = make(family, EVERYWHERE, NOISE).train()
    if checkpointed:
        checkpointing(model)
    choose(model, ["clip.1"])
    outputs = encoder_outputs(model)
    model(**batch).loss.backward()
    layers = ENCODER_LAYERS[family]
    assert [state.requires_grad for state in outputs["clip"]] == [False, *[True] * (layers - 1)]
    assert [state.requires_grad for state in outputs["roberta"]] == [False] * layers
    adapter = blocks_of(model)["clip.1"].skip_adapter
    assert adapter is not None
    assert adapter.up.weight.grad.any()


def test_reentrant_checkpointing_is_refused(family: str) -> None:
    with pytest.raises(InputError, match="use_reentrant=True loses gradients"):
        checkpointing(make(family), {"use_reentrant": True})


@pytest.mark.parametrize("skipped", [(), ("text.0", "image.1", "roberta.0", "clip.1")], ids=["whole", "skipped"])
def test_checkpointing_gives_the_same_gradients(skipped: tuple[str, ...], family: str, batch: Batch) -> None:
    """Without dropout. Everything is trained, so that the encoders are checkpointed too."""
    found, recomputed_layers = [], []
    for checkpointed in (False, True):
        model = make(family, EVERYWHERE, NOISE).train()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        model.requires_grad_(True)
        choose(model, skipped)
        if checkpointed:
            checkpointing(model)
            for block in blocks_of(model).values():
                inner = block._gradient_checkpointing_func
                block._gradient_checkpointing_func = lambda *given, _inner=inner, **rest: (
                    recomputed_layers.append(1) or _inner(*given, **rest)
                )
        model(**batch).loss.backward()
        found.append(gradients(model))
    plain, recomputed = found
    assert len(recomputed_layers) == len(global_blocks(family))
    assert plain.keys() == recomputed.keys()
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)


# --- costs, and a whole run


@pytest.mark.parametrize(("scope", "skip"), [("fusion", "text.0,image.2"), ("global", "text.0,roberta.1,clip.0")])
def test_command_counts(scope: str, skip: str, family: str) -> None:
    given = [f"{family}-tiny", "--skip", skip, "--scope", scope, "--labels", "5", "--json"]
    table = json.loads(CliRunner().invoke(app, ["cost", *given]).stdout)
    assert table["skipped"] == skip.split(",")
    assert table["blocks"] == list(FUSION if scope == "fusion" else global_blocks(family))
    assert table["macs_g"]["with_plan"] < table["macs_g"]["original"] < table["macs_g"]["with_adapters"]


def test_a_whole_run(family: str, data_folder: Path, tmp_path: Path) -> None:
    """Search, training, full tuning beside it, export and report; and an answer from the slim model."""
    given = {"output": str(tmp_path / "run"), "model": f"{family}-tiny", "adapters": {"scope": "global"}}
    short = {"search": {"max_steps": 6, "interval": 2}, "train": {"max_steps": 9, "batch_size": 8}}
    path = write_recipe(tmp_path / "recipe.yaml", data_folder, **given, **short, baselines=["full"])
    results = Run(read_recipe(str(path))).all()
    assert results.plan.blocks == tuple(global_blocks(family))
    assert results.baselines["full"].skipped == ()
    assert len(results.plan.skipped) == 2
    slim = load(tmp_path / "run" / "slim")
    answers = predict(slim, load_task(tmp_path / "run" / "slim", slim), data_folder / "images" / "0.png", "colour?")
    assert {entry["answer"] for entry in answers} <= {"red", "green", "blue", "yellow"}
