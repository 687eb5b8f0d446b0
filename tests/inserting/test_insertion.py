"""What inserting adapters, choosing a subnetwork and removing blocks do to a model, and what they leave alone."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel, PreTrainedModel, ViltForQuestionAnswering, ViltModel
from transformers.models.vilt.modeling_vilt import ViltEmbeddings, ViltLayer

from conftest import MakeModel
from skiptune import (
    InputError,
    Plan,
    Record,
    SkipConfig,
    Vqa,
    blocks_of,
    choose,
    insert,
    load_model,
    parameter_groups,
    prune,
    skipped_blocks,
)
from skiptune.inserting.adapted_class import plain_class
from skiptune.inserting.pruning import remove_dead_blocks

BLOCKS = ("0", "1", "2", "3")
SKIPPED = ("1", "2")
PLAN = Plan("vilt", BLOCKS, SKIPPED)
NONE, BOTTLENECK, LORA = SkipConfig(block_adapter="none"), SkipConfig(), SkipConfig(block_adapter="lora")
PAPER = SkipConfig(init="paper")
NOISE = 0.05

both_adapters = pytest.mark.parametrize("config", [BOTTLENECK, LORA], ids=["bottleneck", "lora"])
Batch = dict[str, Tensor]


@torch.no_grad()
def logits(model: PreTrainedModel, batch: Batch) -> Tensor:
    found: Tensor = model(**batch).logits
    return found


def relative(ours: Tensor, reference: Tensor) -> float:
    return float((ours - reference).abs().max() / reference.abs().max())


def trainable(model: torch.nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


# --- inserting


@both_adapters
def test_inserting_changes_no_output_bit(config: SkipConfig, make_model: MakeModel, batch: Batch) -> None:
    """Against the model with our blocks and no adapters; that one against transformers is tested further down."""
    plain, adapted = make_model(NONE), make_model(config)
    with torch.no_grad():
        before, after = (model(**batch, output_hidden_states=True) for model in (plain, adapted))
    assert torch.equal(before.logits, after.logits)
    assert torch.equal(before.loss, after.loss)
    assert all(map(torch.equal, before.hidden_states, after.hidden_states))


def test_paper_initialisation_changes_outputs(make_model: MakeModel, batch: Batch) -> None:
    plain, adapted = make_model(NONE), make_model(PAPER)
    assert relative(logits(adapted, batch), logits(plain, batch)) > 1e-4
    adapters = [block.block_adapters[0] for block in blocks_of(adapted).values() if block.block_adapters is not None]
    drawn = torch.cat([weight.flatten() for adapter in adapters for weight in (adapter.down.weight, adapter.up.weight)])
    assert len(adapters) == 4
    assert 0.017 < float(drawn.detach().std()) < 0.023
    assert not any(adapter.down.bias.any() or adapter.up.bias.any() for adapter in adapters)


def test_adapter_widths(make_model: MakeModel) -> None:
    """An eighth of the width, and twice that where one adapter stands for two; or what is asked for."""
    for config, block_width, skip_width in ((BOTTLENECK, 4, 8), (SkipConfig(block_width=5, skip_width=7), 5, 7)):
        for block in blocks_of(make_model(config)).values():
            assert block.block_adapters is not None
            assert block.skip_adapter is not None
            assert [adapter.down.out_features for adapter in block.block_adapters] == [block_width] * 2
            assert block.skip_adapter.down.out_features == skip_width


SMALL_PARTS = {
    "vilt.embeddings.token_type_embeddings.weight",
    "vilt.pooler.dense.weight",
    "vilt.pooler.dense.bias",
}
HEAD = {f"classifier.{layer}.{kind}" for layer in (0, 1, 3) for kind in ("weight", "bias")}
ADAPTER_PARTS = ("layer_norm", "down", "up")
ATTENTION_AND_MLP = ("attention.attention.query", "attention.attention.value", "intermediate.dense", "output.dense")


def adapters(places: tuple[str, ...], prefix: str = "vilt.") -> set[str]:
    return {
        f"{prefix}encoder.layer.{block}.{place}.{part}.{kind}"
        for block in BLOCKS
        for place in places
        for part in ADAPTER_PARTS
        for kind in ("weight", "bias")
    }


def test_trained_are_exactly_adapters_pooler_token_types_and_head(make_model: MakeModel) -> None:
    names = adapters(("block_adapters.0", "block_adapters.1", "skip_adapter"))
    assert trainable(make_model(BOTTLENECK)) == names | SMALL_PARTS | HEAD
    lora = {
        f"vilt.encoder.layer.{block}.{layer}.lora_{half}.default.weight"
        for block in BLOCKS
        for layer in ATTENTION_AND_MLP
        for half in "AB"
    }
    folded = {f"vilt.encoder.layer.{block}.skip_adapter.{half}.weight" for block in BLOCKS for half in ("down", "up")}
    assert trainable(make_model(LORA)) == lora | folded | SMALL_PARTS | HEAD
    assert trainable(make_model(NONE)) == SMALL_PARTS | HEAD


def test_trained_parts_of_a_model_without_head() -> None:
    model = insert(load_model("vilt-tiny", ViltModel))
    names = adapters(("block_adapters.0", "block_adapters.1", "skip_adapter"), prefix="")
    assert trainable(model) == names | {name.removeprefix("vilt.") for name in SMALL_PARTS}
    assert not parameter_groups(model)["head"]


@both_adapters
def test_every_parameter_is_in_one_group(config: SkipConfig, make_model: MakeModel) -> None:
    model = make_model(config)
    groups = parameter_groups(model)
    assert sorted(name for group in groups.values() for name in group) == sorted(dict(model.named_parameters()))
    assert groups["head"].keys() == HEAD
    assert groups["small_parts"].keys() == SMALL_PARTS
    assert groups["skip_adapters"].keys() == {name for name in dict(model.named_parameters()) if "skip_adapter" in name}
    assert not any(parameter.requires_grad for parameter in groups["body"].values())


def test_keys_and_values_of_the_base_stay(make_model: MakeModel) -> None:
    plain, adapted = make_model().state_dict(), make_model(BOTTLENECK).state_dict()
    assert list(plain) == [name for name in adapted if "adapter" not in name]
    assert all(torch.equal(adapted[name], value) for name, value in plain.items())


def test_lora_hides_the_base_only_behind_pefts_prefix(make_model: MakeModel) -> None:
    plain, adapted = make_model().state_dict(), make_model(LORA).state_dict()
    kept = {name.replace(".base_layer", ""): value for name, value in adapted.items()}
    assert plain.keys() == {name for name in kept if ".lora_" not in name and "skip_adapter" not in name}
    assert all(torch.equal(kept[name], value) for name, value in plain.items())


def test_classes_stay_subclasses_of_transformers_own(make_model: MakeModel) -> None:
    model = make_model(BOTTLENECK)
    assert isinstance(model, ViltForQuestionAnswering)
    assert plain_class(model) is ViltForQuestionAnswering
    assert isinstance(model.vilt.embeddings, ViltEmbeddings)
    assert all(isinstance(block, ViltLayer) for block in model.vilt.encoder.layer)
    assert tuple(blocks_of(model)) == BLOCKS


def test_adapter_weights_follow_the_seed_alone(task: Vqa) -> None:
    def weights(seed: int) -> dict[str, Tensor]:
        model = load_model("vilt-tiny", task.model_class, **task.model_changes())
        return insert(model, PAPER, seed=seed).state_dict()

    first = weights(1)
    torch.rand(3)
    again, other = weights(1), weights(2)
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    changed = {name for name, value in first.items() if not torch.equal(value, other[name])}
    assert changed == {name for name in first if "adapter" in name and name.endswith(("down.weight", "up.weight"))}


def test_inserting_twice_is_refused(make_model: MakeModel) -> None:
    model = make_model(BOTTLENECK)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InputError, match="adapters are already in this model"):
        insert(model, LORA)
    assert all(map(torch.equal, model.state_dict().values(), before.values()))
    assert model.state_dict().keys() == before.keys()


def test_other_families_are_refused_and_left_alone() -> None:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = BertModel(BertConfig(vocab_size=11, **sizes))
    with pytest.raises(InputError, match=r"BertModel \(model_type 'bert'\) is not a supported family; supported: vilt"):
        insert(model)
    assert all(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(InputError, match="not a supported family"):
        insert(torch.nn.Linear(2, 2))


def test_a_plain_model_has_no_skippable_blocks(make_model: MakeModel) -> None:
    with pytest.raises(InputError, match=r"call skiptune\.insert"):
        blocks_of(make_model())


def states() -> tuple[Tensor, Any, Any]:
    return torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()


@pytest.mark.parametrize(
    "work",
    [
        lambda task, model, batch: load_model("vilt-tiny", task.model_class, seed=7, **task.model_changes()),
        lambda task, model, batch: insert(load_model("vilt-tiny", task.model_class), PAPER, seed=7),
        lambda task, model, batch: insert(load_model("vilt-tiny", task.model_class), LORA, seed=7),
        lambda task, model, batch: prune(model, PLAN),
        lambda task, model, batch: model(**batch),
    ],
    ids=["load_model", "insert", "insert-lora", "prune", "forward"],
)
def test_global_generators_are_untouched(
    work: Callable[..., Any], task: Vqa, make_model: MakeModel, batch: Batch
) -> None:
    model = make_model(LORA)
    torch.manual_seed(123)
    before = states()
    work(task, model, batch)
    after = states()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


# --- skipping and removing


@pytest.mark.parametrize("config", [BOTTLENECK, NONE], ids=["bottleneck", "none"])
def test_skipping_equals_removing_bit_for_bit(config: SkipConfig, make_model: MakeModel, batch: Batch) -> None:
    model = make_model(config, noise=NOISE)
    everything = logits(model, batch)
    choose(model, SKIPPED)
    slim = prune(copy.deepcopy(model), PLAN)
    with torch.no_grad():
        by_flag, by_removal = (each(**batch, output_hidden_states=True) for each in (model, slim))
    assert torch.equal(by_flag.logits, by_removal.logits)
    assert all(map(torch.equal, by_flag.hidden_states, by_removal.hidden_states))
    assert relative(by_flag.logits, everything) > 1e-4, "skipping did nothing"
    own = slim.state_dict()
    assert not any(f"layer.{block}.attention" in name for name in own for block in SKIPPED)
    assert not any(f"layer.{block}.skip_adapter" in name for name in own for block in ("0", "3"))


def test_removing_and_merging_lora(make_model: MakeModel, batch: Batch) -> None:
    model = make_model(LORA, noise=NOISE)
    choose(model, SKIPPED)
    by_flag = logits(model, batch)
    assert torch.equal(logits(remove_dead_blocks(copy.deepcopy(model), PLAN), batch), by_flag)
    slim = prune(copy.deepcopy(model), PLAN)
    assert relative(logits(slim, batch), by_flag) < 1e-5
    assert not any("lora" in name or "base_layer" in name for name in slim.state_dict())
    assert not torch.equal(slim.vilt.encoder.layer[0].output.dense.weight, make_model().state_dict()[OUTPUT])


OUTPUT = "vilt.encoder.layer.0.output.dense.weight"


def test_a_skipped_block_is_its_skip_adapter(make_model: MakeModel, batch: Batch) -> None:
    """``x + A_skip(x)``, ``A(x) = W_up · ReLU(W_down · LayerNorm(x))`` (METHOD), over text and image tokens."""
    model = make_model(BOTTLENECK, noise=NOISE)
    choose(model, ["2"])
    with torch.no_grad():
        states = model(**batch, output_hidden_states=True).hidden_states
        own = {name.rpartition("skip_adapter.")[2]: p for name, p in blocks_of(model)["2"].named_parameters()}
        x = states[2]
        centred = x - x.mean(-1, keepdim=True)
        normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        normed = normed * own["layer_norm.weight"] + own["layer_norm.bias"]
        narrow = (normed @ own["down.weight"].T + own["down.bias"]).clamp(min=0)
        expected = x + narrow @ own["up.weight"].T + own["up.bias"]
    torch.testing.assert_close(states[3], expected, rtol=1e-5, atol=1e-6)
    assert not torch.equal(states[3], states[2])


def test_hidden_states_keep_their_number(make_model: MakeModel, batch: Batch) -> None:
    model = make_model(BOTTLENECK, noise=NOISE)
    for skipped in ((), SKIPPED, ("0", "1", "3")):
        choose(model, skipped)
        found = model(**batch, output_hidden_states=True).hidden_states
        assert len(found) == len(make_model()(**batch, output_hidden_states=True).hidden_states) == 5
        assert {state.shape for state in found} == {found[0].shape}


def test_attention_weights(make_model: MakeModel, batch: Batch) -> None:
    model = make_model(BOTTLENECK)
    with torch.no_grad():
        found = model(**batch, output_attentions=True)
    assert len(found.attentions) == 4
    rows, heads, tokens, _ = found.attentions[0].shape
    assert (rows, heads) == (6, 2)
    torch.testing.assert_close(found.attentions[0].sum(-1), torch.ones(rows, heads, tokens))
    torch.testing.assert_close(found.logits, logits(model, batch), rtol=1e-5, atol=1e-6)


def test_attention_weights_of_a_skipped_block_are_refused(make_model: MakeModel, batch: Batch) -> None:
    model = make_model(BOTTLENECK)
    choose(model, ["1"])
    with pytest.raises(InputError, match="output_attentions=True: a skipped block has no attention weights"):
        model(**batch, output_attentions=True)


def test_choosing(make_model: MakeModel) -> None:
    model = make_model(BOTTLENECK)
    choose(model, ["3", "1"])
    assert skipped_blocks(model) == ("1", "3")
    for wrong, message in ((["9"], "'9': no such block"), (BLOCKS, "fewer than the 4"), (["1", "1"], "named twice")):
        with pytest.raises(InputError, match=message):
            choose(model, wrong)
    assert skipped_blocks(model) == ("1", "3"), "a refused choice changed the model"
    prune(model, PLAN)
    with pytest.raises(InputError, match=r"blocks 2 were removed from this model"):
        choose(model, ["1"])
    choose(model, ["1", "2", "3"])
    assert skipped_blocks(model) == ("1", "2", "3")


def test_plans_of_other_models_are_refused(make_model: MakeModel) -> None:
    model = make_model(BOTTLENECK)
    for plan in (Plan("meter", BLOCKS, ("1",)), Plan("vilt", (*BLOCKS, "4"), ("1",))):
        with pytest.raises(InputError, match="the plan is for a"):
            prune(model, plan)
    assert skipped_blocks(model) == ()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@both_adapters
def test_copies_compute_the_same_and_stand_alone(
    config: SkipConfig, duplicate: Callable[..., PreTrainedModel], make_model: MakeModel, batch: Batch
) -> None:
    model = make_model(config, noise=NOISE)
    choose(model, SKIPPED)
    expected = logits(model, batch)
    twin = duplicate(model)
    assert torch.equal(logits(twin, batch), expected)
    assert skipped_blocks(twin) == SKIPPED
    assert trainable(twin) == trainable(model)
    choose(twin, ())
    assert skipped_blocks(model) == SKIPPED
    assert torch.equal(logits(duplicate(prune(model, PLAN)), batch), logits(model, batch))


@both_adapters
def test_gradient_checkpointing_gives_the_same_gradients(
    config: SkipConfig, make_model: MakeModel, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gradients(checkpointing: bool) -> dict[str, Tensor]:
        model = make_model(config, noise=NOISE).train()
        calls = []
        if checkpointing:
            model.activation_checkpointing_enable()
            for block in blocks_of(model).values():
                inner = block._gradient_checkpointing_func
                block._gradient_checkpointing_func = lambda *a, _inner=inner, **k: calls.append(1) or _inner(*a, **k)
        choose(model, ["2"])
        model(**batch).loss.backward()
        assert len(calls) == (4 if checkpointing else 0)
        return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}

    plain, checkpointed = gradients(False), gradients(True)
    assert plain.keys() == checkpointed.keys()
    assert all(torch.equal(value, checkpointed[name]) for name, value in plain.items())
    unused = {"layer.2.block_adapters", "layer.2.attention", "layer.2.intermediate", "layer.2.output"}
    unused |= {f"layer.{block}.skip_adapter" for block in ("0", "1", "3")}
    expected = {name for name in trainable(make_model(config)) if not any(part in name for part in unused)}
    assert plain.keys() == expected


# --- the same function as transformers' own


def own_forward(model: PreTrainedModel, inputs: Batch) -> Any:
    """Transformers' classes put patches into random order."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        return model(**inputs, output_hidden_states=True)


@pytest.mark.parametrize("sizes", [[(48, 48)], [(48, 80)], [(96, 32)], [(48, 48), (32, 80), (80, 16), (64, 64)]])
def test_forward_is_transformers_own(sizes: list[tuple[int, int]], task: Vqa, make_model: MakeModel) -> None:
    generator = torch.Generator().manual_seed(3)
    height, width = (max(size[axis] for size in sizes) for axis in (0, 1))
    mask = torch.zeros(len(sizes), height, width, dtype=torch.long)
    for row, (own_height, own_width) in enumerate(sizes):
        mask[row, :own_height, :own_width] = 1
    pixels = torch.randn(len(sizes), 3, height, width, generator=generator) * mask[:, None]
    questions = ["colour?", "which colour is the square in the picture?", "what?", "is it red?"][: len(sizes)]
    text = task.processor.tokenizer(questions, padding=True, return_tensors="pt")
    labels = torch.rand(len(sizes), 4, generator=generator)
    inputs = {
        "input_ids": text["input_ids"],
        "attention_mask": text["attention_mask"],
        "pixel_values": pixels,
        "pixel_mask": mask,
        "labels": labels,
    }
    plain, ours = make_model(), make_model(BOTTLENECK)
    with torch.no_grad():  # positions and weights as large as trained ones, or nothing would depend on the image
        for model in (plain, ours):
            fill = torch.Generator().manual_seed(4)
            state = model.state_dict()
            for name in plain.state_dict():
                if state[name].is_floating_point() and "norm" not in name.lower():
                    state[name].copy_(0.3 * torch.randn(state[name].shape, generator=fill))
    theirs, found = own_forward(plain, inputs), own_forward(ours, inputs)
    assert relative(found.logits, theirs.logits) < 1e-5
    assert relative(found.loss, theirs.loss) < 1e-5
    length = text["input_ids"].shape[1]
    for own, other in zip(found.hidden_states, theirs.hidden_states, strict=True):
        assert own.shape == other.shape
        assert relative(own[:, : length + 1], other[:, : length + 1]) < 1e-5


def test_padding_changes_nothing(make_model: MakeModel, task: Vqa, records: list[Record]) -> None:
    """A short question on a narrow image: alone, and beside longer questions on wider images."""
    model = make_model(BOTTLENECK, noise=NOISE)
    choose(model, ["2"])
    short, wide = records[2], records[10]
    alone, together = task.collate([short]), task.collate([wide, short, wide])
    assert together["pixel_values"].shape[-1] > alone["pixel_values"].shape[-1]
    assert together["input_ids"].shape[1] > alone["input_ids"].shape[1]
    expected = logits(model, alone)
    assert relative(logits(model, together)[1:2], expected) <= 1e-5
    blind = {name: value for name, value in together.items() if name != "pixel_mask"}
    assert relative(logits(model, blind)[1:2], expected) > 1e-5, (
        "the mask makes no difference here, so this test cannot"
    )
