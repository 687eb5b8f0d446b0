"""Threads make, load, share and train models side by side: all are whole, and nothing of the process is changed.

``SKIPTUNE_LOADS=50`` makes every thread load so many models.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.modules.linear
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import logging

from side_by_side import beside
from skiptune import (
    Experiment,
    Plan,
    Record,
    SharedBase,
    SkipConfig,
    TrainConfig,
    Vqa,
    blocks_of,
    export,
    fit,
    insert,
    load,
    load_model,
)
from skiptune.core.seeding import drawn_from

LOADS = int(os.environ.get("SKIPTUNE_LOADS", "1"))
PATCHED = (torch.nn.init, torch.nn.modules.linear)
State = dict[str, Tensor]


def of_the_process() -> dict[str, object]:
    """What making a model might leave changed."""
    found: dict[str, object] = {
        f"{part.__name__}.{name}": value for part in PATCHED for name, value in vars(part).items()
    }
    found |= {name: getattr(PreTrainedModel, name) for name in ("tie_weights", "init_weights")}
    found |= {"dtype": torch.get_default_dtype(), "linspace": torch.linspace, "verbosity": logging.get_verbosity()}
    found |= {name: getattr(nn.Module, name) for name in ("register_parameter", "__setattr__", "__init__")}
    return found


def random_states() -> tuple[bytes, object, object]:
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), str(np.random.get_state())


def state_of(model: nn.Module) -> State:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(found: State, expected: State) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny base of every family, and a slim model of every form on it, by name."""
    found = {}
    folder = tmp_path_factory.mktemp("models")
    for family in ("vilt", "meter", "bridgetower"):
        base = found[family] = folder / family
        load_model(f"{family}-tiny", "vqa", num_labels=2).save_pretrained(base)
        for form, config in (("adapters", SkipConfig(block_adapter="lora", lora_rank=2)), ("standalone", SkipConfig())):
            model = insert(load_model(str(base), "vqa", quiet=True, num_labels=2), config)
            blocks = tuple(blocks_of(model))
            found[f"{family}-{form}"] = export(
                model, folder / f"{family}-{form}", Plan(family, blocks, blocks[1:2]), form=form
            )
    return found


@pytest.mark.slow
def test_sixteen_threads_beside_a_training(folders: dict[str, Path], task: Vqa, records: list[Record]) -> None:
    def train() -> State:
        model = load_model("vilt-tiny", "vqa", hidden_dropout_prob=0.2, **task.model_changes())
        experiment = Experiment(task, records, training=TrainConfig(max_steps=8, batch_size=4))
        fit(insert(model), experiment)
        return state_of(model)

    loads: dict[str, Callable[[], nn.Module]] = {
        name: lambda path=path: load(path) if "-" in path.name else load_model(str(path), "vqa", num_labels=2, seed=3)
        for name, path in folders.items()
    }
    loads["random"] = lambda: load_model("vilt-tiny", "retrieval", seed=5)
    expected = {name: state_of(make()) for name, make in loads.items()}
    base = SharedBase(folders["vilt"])
    attached = state_of(base.attach("first", folders["vilt-adapters"]))
    alone, process = train(), of_the_process()
    before = random_states()

    numbers = iter(range(16))

    def work() -> None:
        mine = next(numbers)
        for load_number in range(LOADS):
            name = sorted(loads)[(mine + load_number) % len(loads)]
            assert same(loads[name]().state_dict(), expected[name]), name
            if load_number % 3 == 0:
                assert same(base.attach(f"task {mine}", folders["vilt-adapters"]).state_dict(), attached)
                base.detach(f"task {mine}")

    with beside(work, 16) as raised:
        trained = train()
    assert raised == []
    assert same(trained, alone)
    assert {name for name, value in of_the_process().items() if process[name] is not value} == set()
    assert random_states() == before
    assert list(base) == ["first"]
    layer = nn.TransformerEncoderLayer(8, 2, 8)
    assert not any(value.is_meta or not value.isfinite().all() for value in layer.parameters())


def test_private_numbers_are_those_of_the_seed() -> None:
    """For every way in which torch starts a layer; other threads and torch's generator see nothing."""

    def layers() -> list[Tensor]:
        made: list[Any] = [nn.Linear(3, 3), nn.Embedding(3, 3), nn.Conv2d(3, 3, 3), nn.MultiheadAttention(4, 2)]
        drawn = [nn.init.trunc_normal_(torch.empty(5)), nn.init.orthogonal_(torch.empty(3, 3)), torch.randn(3)]
        drawn += [torch.rand(2, dtype=torch.float64), torch.randperm(9), torch.empty(3).bernoulli_(0.5)]
        return [*drawn, *(value.detach() for layer in made for value in layer.parameters())]

    before = torch.get_rng_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        expected = layers()
    with drawn_from(7):
        outside: list[bool] = []
        with beside(lambda: outside.append(torch.equal(torch.get_rng_state(), before)), 1):
            found = layers()
    assert all(map(torch.equal, found, expected))
    assert outside == [True]
    assert torch.equal(torch.get_rng_state(), before)
    with drawn_from(7):
        assert torch.randn(3, device="meta").is_meta
