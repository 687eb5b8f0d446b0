"""Models whose parameters take no memory: in the thread that asks for it, and in no other."""

from __future__ import annotations

from torch import nn

from side_by_side import in_threads
from skiptune.models.without_weights import parameters_on_meta


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
