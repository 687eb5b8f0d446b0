"""Fewer image tokens in ViLT: what must be equal is, and the number of tokens is what the schedule says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

import skiptune as st
from skiptune.core.errors import InputError
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_blocks, count_macs
from skiptune.families.vilt.skipping import add_prompts, vilt_of
from skiptune.inserting.pruning import prune
from skiptune.inserting.selection import blocks_of, choose, chosen_tokens
from skiptune.layers.token_reduction import tokens_left
from skiptune.searching.prefix_sharing import evaluate_each

WAYS = ("merge", "prune", "both", "pool")


def inserted() -> Any:
    model = st.load_model("vilt-tiny", "vqa", quiet=True, num_labels=4)
    return st.insert(model, st.SkipConfig(block_adapter="lora")).eval()


def inputs(model: Any, batch: int = 2) -> Any:
    return example_inputs(model, (96, 128), 7, batch)


def streams(model: Any, given: Any) -> list[int]:
    """The number of tokens after every block."""
    with torch.no_grad():
        states = vilt_of(model)(**given, output_hidden_states=True).hidden_states
    return [state.shape[1] for state in states]


def test_nothing_reduced_is_what_it_was() -> None:
    model = inserted()
    given = inputs(model)
    before = model(**given).logits
    choose(model, (), st.TokenSchedule(keep={"1": 0.5}))
    assert not torch.equal(model(**given).logits, before)
    choose(model, ())
    assert torch.equal(model(**given).logits, before)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("skipped", [(), ("1",), ("0", "1")])
def test_as_many_tokens_go_on_as_the_schedule_says(way: Any, skipped: tuple[str, ...]) -> None:
    model = inserted()
    given = inputs(model)
    whole = streams(model, given)[0] - 8  # text and class token
    choose(model, skipped, st.TokenSchedule(keep={"1": 0.6, "2": 0.2}, way=way))
    found = streams(model, given)
    columns = given["pixel_values"].shape[3] // model.config.patch_size
    assert [count - 8 for count in found[:3]] == [
        whole,
        *(tokens_left(share, way, whole, columns) for share in (0.6, 0.2)),
    ]


@pytest.mark.parametrize("way", WAYS)
def test_an_example_has_the_same_answer_alone_and_in_a_batch(way: Any) -> None:
    model = inserted()
    given = inputs(model, 3)
    given["attention_mask"][1, 4:] = 0
    choose(model, (), st.TokenSchedule(keep={"1": 0.4}, way=way))
    whole = model(**given).logits
    alone = model(**{name: value[1:2] for name, value in given.items()}).logits
    assert torch.allclose(whole[1:2], alone, atol=1e-5)


def test_padding_goes_first() -> None:
    """A picture with a third of its patches masked has the answer of the smaller picture, as long as only padding
    goes."""
    model = inserted()
    given = inputs(model, 2)
    given["pixel_mask"] = torch.ones(2, 96, 128, dtype=torch.long)
    given["pixel_mask"][1, :, 64:] = 0
    for way in ("merge", "prune", "both"):
        choose(model, ())
        before = model(**given).logits[1]
        choose(model, (), st.TokenSchedule(keep={"1": 0.5}, way=way))
        assert torch.allclose(model(**given).logits[1], before, atol=1e-5), way


def test_tokens_that_are_the_same_are_merged_without_a_loss() -> None:
    """Attention to a token of size n is attention to n tokens: of a picture in which all patches are alike, positions
    too, the answer does not change."""
    model = inserted()
    embeddings = vilt_of(model).embeddings
    with torch.no_grad():
        embeddings.position_embeddings[:, 1:] = embeddings.position_embeddings[:, 1:2]
    given = inputs(model)
    given["pixel_values"] = torch.full_like(given["pixel_values"], 0.3)
    before = model(**given).logits
    for way in ("merge", "pool"):
        choose(model, (), st.TokenSchedule(keep={"0": 0.5, "2": 0.1}, way=way))
        assert torch.allclose(model(**given).logits, before, atol=1e-5), way


def test_prefixes_are_shared_without_a_change() -> None:
    model = inserted()
    given = inputs(model)
    sets = [(), ("1",), ("2",), ("1",), ()]
    tokens = [None, None, *[st.TokenSchedule(keep={"1": 0.5}, way=way) for way in ("merge", "prune", "prune")]]
    run = lambda: model(**given).logits  # noqa: E731
    found = dict(evaluate_each(model, sets, run, tokens=tokens))
    for number, (skipped, schedule) in enumerate(zip(sets, tokens, strict=True)):
        choose(model, skipped, schedule)
        assert torch.equal(found[number], model(**given).logits)


@pytest.mark.parametrize("way", WAYS)
def test_costs_are_additive(way: Any) -> None:
    model, schedule = inserted(), st.TokenSchedule(keep={"1": 0.6, "2": 0.3}, way=way)
    given = inputs(model, 1)
    costs = count_blocks(model, given, tokens=schedule)
    plan = st.Plan("vilt", tuple(blocks_of(model)), ("0", "2"), tokens=schedule)
    slim = prune(copy.deepcopy(model), plan)
    bare = count_blocks(model, given)
    assert costs.original == bare.original > costs.adapted
    assert costs.with_skipped(plan.skipped) == pytest.approx(count_macs(slim, given), rel=1e-6)


@pytest.mark.parametrize("form", ["standalone", "adapters"])
def test_an_export_has_its_schedule(form: Any, tmp_path: Path) -> None:
    model, schedule = inserted(), st.TokenSchedule(keep={"1": 0.5}, way="both")
    choose(model, ("0",), schedule)
    given = inputs(model)
    plan = st.Plan("vilt", tuple(blocks_of(model)), ("0",), tokens=schedule)
    st.export(model, tmp_path / "slim", plan, form=form)
    loaded = st.load(tmp_path / "slim")
    assert chosen_tokens(loaded) == schedule
    assert torch.allclose(loaded(**given).logits, model(**given).logits, atol=1e-5)
    plan.save(tmp_path / "plan.json")
    assert st.Plan.load(tmp_path / "plan.json") == plan


def test_a_model_saved_whole_has_its_schedule(tmp_path: Path) -> None:
    model, schedule = inserted(), st.TokenSchedule(keep={"1": 0.5})
    choose(model, ("0",), schedule)
    model.save_pretrained(tmp_path / "whole")
    assert chosen_tokens(st.load(tmp_path / "whole")) == schedule


def test_prompts_leave_no_place_for_fewer_tokens() -> None:
    model = st.insert(st.load_model("vilt-tiny", "vqa", quiet=True, num_labels=4))
    add_prompts(model, 3)
    with pytest.raises(InputError, match="cannot become fewer; leave keep out"):
        choose(model, (), st.TokenSchedule(keep={"1": 0.5}))


def test_wrong_schedules_are_refused() -> None:
    model = inserted()
    with pytest.raises(InputError, match="no such place"):
        choose(model, (), st.TokenSchedule(keep={"7": 0.5}))
    with pytest.raises(InputError, match="running order"):
        choose(model, (), st.TokenSchedule(keep={"2": 0.5, "1": 0.3}))
    with pytest.raises(InputError, match="smaller from block to block"):
        st.TokenSchedule(keep={"1": 0.3, "2": 0.5})
    with pytest.raises(InputError, match="between 0 and 1"):
        st.TokenSchedule(keep={"1": 1.5})
    with pytest.raises(InputError, match="no block is named"):
        st.TokenSchedule()
