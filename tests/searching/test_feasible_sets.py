"""Which sets of blocks meet a budget, against trying all of them; from budgets to allowances; timed only once."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skiptune import (
    Budget,
    Experiment,
    InputError,
    SearchConfig,
    SkipConfig,
    TrainConfig,
    insert,
    load_model,
    search,
)
from skiptune.costs.block_costs import BlockCosts
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_blocks
from skiptune.inserting.selection import blocks_of
from skiptune.searching import budget as budget_module
from skiptune.searching.budget import feasible_sets_of
from skiptune.searching.feasible_sets import FeasibleSets
from skiptune.searching.strategies.policy import Policy
from skiptune.searching.strategies.positions import Random

#: METER's two kinds of fusion layer, and a reduction that takes sets of different size.
METER = FeasibleSets((1.049,) * 6 + (5.359,) * 6, 11.2)


def policy_of(feasible: FeasibleSets, seed: int = 0) -> Policy:
    return Policy(feasible, SearchConfig.paper(), seed, tuple(map(str, range(len(feasible.savings)))))


def minimal_sets(feasible: FeasibleSets) -> list[tuple[int, ...]]:
    """By trying all: those that meet the target and would not without any one of their blocks."""

    def met(chosen: tuple[int, ...]) -> bool:
        return math.fsum(feasible.savings[block] for block in chosen) >= feasible.target

    blocks = range(len(feasible.savings))
    sets = (chosen for size in range(len(blocks) + 1) for chosen in itertools.combinations(blocks, size))
    return [
        chosen
        for chosen in sets
        if met(chosen) and not any(met(tuple(other for other in chosen if other != block)) for block in chosen)
    ]


def instances(number: int) -> list[FeasibleSets]:
    """Small ones, with blocks that save the same, or differently, or nothing, or less than nothing."""
    random = np.random.default_rng(0)
    found: list[FeasibleSets] = []
    while len(found) < number:
        blocks = int(random.integers(2, 9))
        kinds = [1.0, 0.1, 2.7, 0.3, 0.0, -0.5] if len(found) % 3 else random.random(blocks).tolist()
        savings = tuple(float(saving) for saving in random.choice(kinds, blocks))
        target = float(random.random() * sum(saving for saving in savings if saving > 0))
        try:
            found.append(FeasibleSets(savings, target))
        except InputError:
            continue
    return found


@pytest.mark.parametrize("sign", [0.0, -0.5])  # hurts from 0 up, or some of blocks that do harm
def test_best_is_exact(sign: float) -> None:
    random = np.random.default_rng(1)
    for feasible in instances(150):
        hurt = [round(float(value), 1) + sign for value in random.random(len(feasible.savings))]
        cheapest = min(minimal_sets(feasible), key=lambda chosen: (math.fsum(hurt[b] for b in chosen), len(chosen)))
        found = feasible.best(hurt)
        assert found in minimal_sets(feasible)
        assert math.fsum(hurt[block] for block in found) == math.fsum(hurt[block] for block in cheapest)


def test_fill_reaches_every_set_and_no_other_and_count_counts_them() -> None:
    random = np.random.default_rng(2)
    for feasible in instances(60):
        sets = set(minimal_sets(feasible))
        assert feasible.count() == len(sets)
        rest = set(range(len(feasible.savings)))
        assert {feasible.fill([*chosen, *(rest - set(chosen))]) for chosen in sets} == sets
        assert all(feasible.fill(random.permutation(len(rest)).tolist()) in sets for _ in range(20))


def test_superfluous_blocks_go_from_the_end_of_the_order() -> None:
    assert FeasibleSets((1.0, 1.0, 2.0, 3.0), 3.0).fill([0, 1, 3, 2]) == (3,)
    assert FeasibleSets((1.0, 1.0, 2.0), 3.0).fill([0, 1, 2]) == (0, 2)


def test_a_number_of_blocks() -> None:
    feasible = FeasibleSets.of_number(5, 2)
    assert (feasible.number, feasible.count()) == (2, 10)
    assert feasible.best([0.5, 1e-30, 0.0, 1e-30, 2.0]) == (1, 2)
    assert (FeasibleSets.of_number(5, 0).number, FeasibleSets.of_number(5, 0).best([1.0] * 5)) == (0, ())
    assert FeasibleSets((1.362,) * 12, 4.0).number == 3
    assert METER.number is None
    with pytest.raises(InputError, match="num_skip: 5 of 5 blocks"):
        FeasibleSets.of_number(5, 5)
    with pytest.raises(InputError, match="cannot be met; all blocks but one save 3"):
        FeasibleSets((1.0, 2.0, 1.0), 3.5)


def test_meter_global_is_exact_and_a_constant_matters_only_by_size() -> None:
    savings = (1.049,) * 6 + (5.359,) * 6 + (0.9,) * 12 + (4.5,) * 11
    feasible = FeasibleSets(savings, 30.0)
    hurt = np.random.default_rng(3).random(len(savings)).tolist()
    best = feasible.best(hurt)
    # by dynamic programming over the exact sums in thousandths: least hurt for a saving of at least so much
    units = [round(1000 * saving) for saving in savings]
    least = [0.0] + [math.inf] * 30_000
    for unit, value in zip(units, hurt, strict=True):
        for saved in range(30_000, 0, -1):
            least[saved] = min(least[saved], least[max(0, saved - unit)] + value)
    assert sum(hurt[block] for block in best) == pytest.approx(least[30_000], rel=1e-12)
    assert len(feasible.best([value + 100 for value in hurt])) == 6  # the fewest blocks that reach 30


# --- policies


def test_draws_of_equal_blocks_stay_as_they_were() -> None:
    """``multinomial(p, k)``, as for a number of blocks; the first k of a whole order may differ."""
    policy = policy_of(FeasibleSets((1.362,) * 6, 3.5), 3)
    policy.g = torch.linspace(-2, 2, 6)
    drawn = []
    for step in range(20):
        entropy = np.random.SeedSequence((3, step, 0)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(entropy >> 1))
        drawn.append(tuple(sorted(torch.multinomial(policy.g.sigmoid(), 3, generator=generator).tolist())))
    assert [policy.draw(step) for step in range(20)] == drawn


def test_draws_of_unequal_blocks_meet_the_budget_and_follow_the_preferences() -> None:
    policy, sets = policy_of(METER, 1), set(minimal_sets(METER))
    drawn = [policy.draw(step) for step in range(300)]
    assert set(drawn) <= sets
    assert {len(chosen) for chosen in drawn} == {len(chosen) for chosen in sets}
    policy.g[7] = 200.0
    policy.g[[0, 8]] = -200.0
    drawn = [policy.draw(step) for step in range(300)]
    times = [sum(block in chosen for chosen in drawn) for block in range(12)]
    assert times[0] == times[8] == 0
    assert times[7] == max(times) > 1.2 * max(times[6], *times[9:])
    assert policy.best() == METER.best([-value for value in policy.g.tolist()])
    assert len(set(policy.draw_distinct(20, 0))) == 20


# --- from budgets


def adapted(name: str, **config: Any) -> Any:
    model = load_model(name, "vqa")
    return insert(model, SkipConfig.from_dict(config))


@pytest.mark.parametrize("scope", ["fusion", "global"])
def test_a_plan_for_a_reduction_reaches_it_and_no_more(scope: str) -> None:
    model = adapted("meter-tiny", scope=scope)
    inputs = example_inputs(model, (48, 48), 9)
    costs, feasible = count_blocks(model, inputs), feasible_sets_of(model, Budget(macs=-0.2), lambda: inputs)
    assert feasible.savings == tuple(costs.savings.values())
    saved = sorted(feasible.savings[block] for block in policy_of(feasible).best())
    assert costs.adapted - sum(saved) <= 0.8 * costs.original < costs.adapted - sum(saved[1:])


def test_equal_blocks_are_counted_as_before() -> None:
    model = adapted("vilt-scenes")
    feasible = feasible_sets_of(model, Budget(macs=-0.25), lambda: example_inputs(model, (72, 72), 20))
    assert feasible.number == 4


def test_a_reduction_met_to_the_last_operation_takes_no_further_block(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = BlockCosts(10.0, 10.0, dict.fromkeys("0123", 10.0 * 0.1))
    monkeypatch.setattr(budget_module, "count_blocks", lambda *given: costs)
    assert feasible_sets_of(adapted("vilt-tiny"), Budget(macs=-0.3), dict).number == 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"latency": -0.2, "macs": -0.2}, "num_skip=None, macs=-0.2, latency=-0.2: give exactly one"),
        ({}, "give exactly one"),
        ({"latency": 0.2}, "latency: 0.2 is not between -1 and 0"),
        ({"latency": "fast"}, "latency: 'fast' is not between"),
    ],
)
def test_budgets_that_are_not_valid(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Budget.from_dict(values)


# --- timed ones


@pytest.fixture
def timings(monkeypatch: pytest.MonkeyPatch) -> list[BlockCosts]:
    """Every timing of blocks: never twice the same, and a millisecond for a block and its adapters."""
    taken: list[BlockCosts] = []

    def time_blocks(model: Any, inputs: Any, decode_steps: int) -> BlockCosts:
        savings = {name: 1e-3 if int(name) % 2 else 0.6e-3 for name in blocks_of(model)}
        taken.append(BlockCosts(4e-3 + 1e-6 * len(taken), 4.2e-3, savings))
        return taken[-1]

    monkeypatch.setattr(budget_module, "time_blocks", time_blocks)
    return taken


def test_a_search_for_time_is_resumed_with_what_was_timed(
    make_model, task, parts, timings: list[BlockCosts], tmp_path: Path
) -> None:
    config, training = SearchConfig(max_steps=6, interval=2), TrainConfig(batch_size=8)
    experiment = Experiment(task, *parts, Budget(latency=-0.2), config, training)
    plans = [search(make_model(SkipConfig()), experiment, folder=tmp_path / "search") for _ in range(2)]
    assert len(timings) == 1
    kept = json.loads((tmp_path / "search" / "allowance.json").read_text())
    assert kept["target"] == pytest.approx(1e-3)
    for plan in plans:
        assert plan.report.allowance.to_dict() == {name: kept[name] for name in ("savings", "target")}
        assert plan.skipped in (("1",), ("3",), ("0", "2"))
    (tmp_path / "search" / "allowance.json").write_text('{"savings": {}}')
    with pytest.raises(InputError, match=r"allowance\.json: not what was timed"):
        search(make_model(SkipConfig()), experiment, folder=tmp_path / "search")


def test_time_that_no_plan_saves_is_refused(make_model, timings: list[BlockCosts]) -> None:
    with pytest.raises(InputError, match=r"latency: -0.7 cannot be met; skipping 3 of 4 blocks gives -0.600"):
        feasible_sets_of(make_model(SkipConfig()), Budget(latency=-0.7), dict)


def test_random_plans_meet_the_same_budget() -> None:
    names = tuple(f"{stack}.{number}" for stack in ("text", "image") for number in range(6))
    drawn = [Random(METER, SearchConfig(), seed, names).chosen() for seed in range(20)]
    assert {tuple(names.index(name) for name in chosen) for chosen in drawn} <= set(minimal_sets(METER))
    assert len(set(drawn)) > 5
    two = FeasibleSets.of_number(12, 2)
    assert all(len(Random(two, SearchConfig(), seed, names).chosen()) == 2 for seed in range(4))
