"""Rounds of timing: as many as asked for, else as there is time for; batch sizes that take too long are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from torch import nn

from skiptune.costs import turns
from skiptune.costs.latency import timings
from skiptune.costs.turns import take_turns, time_batches


class Clock:
    """Time that only passes of models take: one takes as many seconds as its model's ``seconds``."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def run(self, model: nn.Module, inputs: Mapping[str, object]) -> float:
        took = float(model.seconds)  # type: ignore[arg-type]
        self.now += took
        return took


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(turns, "time", found)
    monkeypatch.setattr(turns, "_time", found.run)
    return found


def models(*seconds: float) -> dict[str, nn.Module]:
    found = {str(number): nn.Identity() for number in range(len(seconds))}
    for model, own in zip(found.values(), seconds, strict=True):
        model.seconds = own  # type: ignore[assignment]
    return found


@pytest.mark.parametrize(
    ("passes", "repeats", "rounds", "took"),
    [
        ((0.1, 0.1), None, 30, 33 * 0.2),  # three of warm-up
        ((2.0, 3.0), None, 11, 60.0),  # one of warm-up, and as many as fit into a minute
        ((40.0, 40.0), None, 2, 240.0),  # fewer would say nothing
        ((40.0, 40.0), 5, 5, 640.0),  # as asked for
    ],
)
def test_rounds_end_in_time(
    passes: Sequence[float], repeats: int | None, rounds: int, took: float, clock: Clock
) -> None:
    made = models(*passes)
    found = take_turns(made, {name: {} for name in made}, repeats, 3, seconds=60)
    assert {len(own) for own in found.values()} == {rounds}
    assert clock.now == pytest.approx(took)
    assert timings(found)["1"].rounds == rounds
    assert timings(found)["1"].ratio_interval == pytest.approx((passes[1] / passes[0],) * 2)


@pytest.mark.parametrize(
    ("each", "repeats", "timed", "left_out"),
    [
        (0.02, None, [32, 1], {}),
        (1.0, None, [1], {32: 64.0}),
        (1.0, 2, [32, 1], {}),
    ],
)
def test_batch_sizes_that_take_too_long_are_left_out(
    each: float, repeats: int | None, timed: list[int], left_out: dict[int, float], clock: Clock
) -> None:
    def take(batch: int, seconds: float) -> dict[str, list[float]]:
        made = models(batch * each, batch * each)
        return take_turns(made, {name: {} for name in made}, repeats, 3, seconds=seconds)

    found = time_batches([32, 1], repeats, 60, take)
    assert list(found.rounds) == timed
    assert found.left_out == pytest.approx(left_out)
    assert repeats or clock.now <= 60
