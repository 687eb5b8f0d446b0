"""Models whose parameters take no memory: in the thread that asks for it, and in no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from skiptune import load
from skiptune.models.without_weights import parameters_on_meta

FIXTURE = Path(__file__).parents[1] / "fixtures" / "0.3" / "run" / "slim"


def in_threads(work: Callable[[], None], count: int) -> list[BaseException]:
    """Do ``work`` in so many threads at once; returns what they raised."""
    raised: list[BaseException] = []
    together = threading.Barrier(count)

    def run() -> None:
        together.wait()
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_only_this_thread_makes_parameters_without_memory() -> None:
    found: list[bool] = []
    with parameters_on_meta():
        assert in_threads(lambda: found.append(nn.Linear(2, 2).weight.is_meta), 1) == []
        with parameters_on_meta():
            assert nn.Linear(2, 2).weight.is_meta
        assert nn.Linear(2, 2).weight.is_meta
        assert not nn.BatchNorm1d(2).running_mean.is_meta  # type: ignore[union-attr]
    assert found == [False]
    assert not nn.Linear(2, 2).weight.is_meta


def test_threads_load_models_side_by_side() -> None:
    """Modules that other threads make meanwhile have weights, and every model is whole."""
    expected = {name: value.clone() for name, value in load(FIXTURE).state_dict().items()}

    def work() -> None:
        for _ in range(3):
            found = load(FIXTURE).state_dict()
            assert found.keys() == expected.keys()
            assert all(torch.equal(found[name], value) for name, value in expected.items())
            assert not any(parameter.is_meta for parameter in nn.TransformerEncoderLayer(8, 2, 8).parameters())

    assert in_threads(work, 16) == []
