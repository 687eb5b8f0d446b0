"""Exports of models whose image tokens become fewer: many tasks on one base, edited schedules, answers to a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import skiptune as st
from skiptune.core.errors import InputError
from skiptune.costs.example_inputs import example_inputs
from skiptune.inserting.selection import blocks_of, choose, chosen_tokens
from skiptune.layers.token_counts import share_of
from skiptune.layers.token_reduction import matchings
from skiptune.predicting.files.answer_job import model_digest


def reduced(way: Any, **keep: float) -> tuple[Any, st.Plan]:
    model = st.load_model("vilt-tiny", "vqa", quiet=True, num_labels=4)
    st.insert(model, st.SkipConfig(block_adapter="lora")).eval()
    schedule = st.TokenSchedule(keep={name[1:]: share for name, share in keep.items()}, way=way)
    plan = st.Plan("vilt", tuple(blocks_of(model)), ("0",), tokens=schedule)
    choose(model, plan)
    return model, plan


def test_tasks_on_one_base_have_their_own_schedules(tmp_path: Path) -> None:
    base = st.SharedBase("vilt-scenes")
    given = None
    for number, (way, share) in enumerate((("merge", 0.5), ("prune", 0.3))):
        model = st.load_model("vilt-scenes", "vqa", quiet=True, num_labels=4)
        st.insert(model, st.SkipConfig(block_adapter="lora")).eval()
        schedule = st.TokenSchedule(keep={"3": share}, way=way)  # type: ignore[arg-type]
        plan = st.Plan("vilt", tuple(blocks_of(model)), (str(number),), tokens=schedule)
        choose(model, plan)
        st.export(model, tmp_path / way, plan, form="adapters")
        attached = base.attach(way, tmp_path / way)
        assert chosen_tokens(attached) == schedule
        given = given or example_inputs(model, (48, 60), 5)
        assert torch.allclose(attached(**given).logits, model(**given).logits, atol=1e-5)


def test_an_edited_schedule_is_refused(tmp_path: Path) -> None:
    model, plan = reduced("merge", b1=0.5)
    st.export(model, tmp_path / "slim", plan)
    path = tmp_path / "slim" / "config.json"
    content = json.loads(path.read_text())
    content["plan"]["tokens"]["keep"]["1"] = 0.75
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="edited"):
        st.load(tmp_path / "slim")


def test_save_pretrained_of_a_slim_model_writes_what_it_runs_with(tmp_path: Path) -> None:
    model, plan = reduced("merge", b1=0.5)
    slim = st.load(st.export(model, tmp_path / "slim", plan))
    for number, tokens in enumerate((None, st.TokenSchedule(keep={"2": 0.3}, way="prune"))):
        choose(slim, ("0",), tokens)
        slim.save_pretrained(tmp_path / str(number))
        assert chosen_tokens(st.load(tmp_path / str(number))) == tokens


class _First(torch.nn.Module):
    """As many tokens as a hundredth of them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.split_with_sizes(x, [left := share_of(x.shape[1], 0.01), x.shape[1] - left], dim=1)[0]


def test_one_token_stays_in_a_graph_too() -> None:
    program = torch.export.export(_First(), (torch.ones(2, 300),), dynamic_shapes={"x": {1: torch.export.Dim.AUTO}})
    assert torch.sym_max in {node.target for node in program.graph.nodes}


def test_answers_with_another_schedule_are_others() -> None:
    model, _ = reduced("merge", b1=0.5)
    task = st.Vqa(st.load_processor("vilt-scenes"), ["yes", "no"])
    found = set()
    for share in (None, 0.5, 0.25):
        choose(model, (), None if share is None else st.TokenSchedule(keep={"1": share}))
        found.add(model_digest(model, task))
    assert len(found) == 3


def test_the_steps_of_a_graph_are_enough_for_every_picture() -> None:
    assert matchings(1.0, 0.7, "merge") == 1
    assert matchings(1.0, 0.2, "merge") == 3
    assert matchings(1.0, 0.3, "both") == 2
