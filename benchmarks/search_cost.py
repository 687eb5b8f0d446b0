"""What a search adds to the training it is part of, in time and in multiply-accumulates.

    python benchmarks/search_cost.py [--models vilt-scenes vilt-b32 meter-b16] [--steps 8]

For every model, random weights but for the embedded one, LoRA in kept blocks, training steps and rounds of comparison
take turns in one process: the step and the round of our search, the pass that measures influence, the round of the
released search, a round without sharing; then the step and the round of a search that mixes skipped blocks with token
schedules. From their medians follows what a search costs over a training of so many steps as the paper's share of it
stands for: ours by its settings, the released one by 3 epochs, a round of 3 candidates every 10 steps after the first,
and a restart for 10 epochs. What is not counted: the belief over sets, whose time does not depend on the model. Losses
are equal with and without sharing, which is asserted. Writes ``benchmarks/results/search_cost.json``.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from skiptune import SearchConfig, SkipConfig, TrainConfig, insert, load_model
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_blocks
from skiptune.families.registry import family_of
from skiptune.inserting.selection import blocks_of, choose
from skiptune.inserting.stream_hooks import stream_hooks
from skiptune.plan import TokenSchedule
from skiptune.searching.prefix_sharing import block_runs, evaluate_each
from skiptune.searching.search_schedule import schedule
from skiptune.searching.strategies import STRATEGIES
from skiptune.searching.token_pool import places_of, schedule_of
from skiptune.searching.training_length import TrainingLength

#: Steps of the whole training; ratios do not depend on it but for rounding to whole rounds.
_WHOLE = 1000
#: Batch size, and size of the images if not the model's own.
_SIZES = {"vilt-scenes": (32, None), "vilt-b32": (4, (384, 384)), "meter-b16": (2, (288, 288))}
#: Shares of the image tokens that go on from four places on; schedules of mixtures take turns.
_SHARES = ((1.0, 0.7, 0.5, 0.35), (0.7, 0.5, 0.5, 0.5), (0.7, 0.7, 0.35, 0.25), (1.0, 0.5, 0.35, 0.35))
_Schedules = Sequence[TokenSchedule | None]


class Bench:
    """One model, its training step and its rounds."""

    def __init__(self, name: str) -> None:
        self.batch_size, size = _SIZES[name]
        self.model = insert(load_model(name, "vqa", num_labels=100), SkipConfig(block_adapter="lora"))
        self.names = tuple(blocks_of(self.model))
        usual = family_of(self.model).sizes(self.model.config)
        self.size, self.length = size or (usual.image_size, usual.image_size), min(40, usual.text_length)
        self.batch = self._batch(self.batch_size)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-5)
        self.rng = np.random.default_rng(0)

    def _batch(self, count: int) -> dict[str, Any]:
        inputs = example_inputs(self.model, self.size, self.length, count)
        return {**inputs, "labels": torch.rand(count, 100, generator=torch.Generator().manual_seed(0))}

    def sets(self, count: int, skip: int = 4) -> list[list[str]]:
        """Different subnetworks with so many blocks skipped."""
        found: dict[tuple[int, ...], None] = {}
        while len(found) < count:
            found.setdefault(tuple(sorted(self.rng.choice(len(self.names), skip, replace=False).tolist())))
        return [[self.names[block] for block in one] for one in found]

    def schedules(self, count: int) -> list[TokenSchedule]:
        """Token schedules as a search has them."""
        places = places_of(self.model).fewer
        return [schedule_of(places, _SHARES[number % len(_SHARES)], "merge") for number in range(count)]

    def step(self, skip: int = 4, tokens: TokenSchedule | None = None) -> None:
        """One step of training."""
        self.model.train()
        choose(self.model, self.sets(1, skip)[0], tokens)
        self.model(**self.batch).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def shared(
        self,
        sets: list[list[str]],
        batch: dict[str, Any],
        ran: Counter[str] | None = None,
        tokens: _Schedules | None = None,
    ) -> list[float]:
        """Losses of a round as a search measures them."""
        self.model.eval()
        found = {
            number: float(output.loss)
            for number, output in evaluate_each(self.model, sets, partial(self.model, **batch), ran, tokens)
        }
        return [found[number] for number in range(len(sets))]

    @torch.no_grad()
    def plain(self, sets: list[list[str]], batch: dict[str, Any], tokens: _Schedules | None = None) -> list[float]:
        """The same one after the other."""
        self.model.eval()
        losses = []
        for skipped, fewer in zip(sets, tokens or [None] * len(sets), strict=True):
            choose(self.model, skipped, fewer)
            losses.append(float(self.model(**batch).loss))
        return losses

    @torch.no_grad()
    def influence(self, batch: dict[str, Any]) -> dict[str, float]:
        """What every block changes in the stream, with nothing skipped; a search measures it once."""
        self.model.eval()
        choose(self.model, ())
        found = {}

        def compare(name: str, before: Tensor, after: Tensor, _: Tensor | None) -> None:
            found[name] = 1 - float(cosine_similarity(before, after, dim=-1).mean())

        with stream_hooks(self.model, compare):
            self.model(**batch)
        return found


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def middle(values: Sequence[float]) -> dict[str, float]:
    return {"median_s": statistics.median(values), "min_s": min(values), "max_s": max(values)}


def measure(name: str, repeats: int) -> dict[str, Any]:
    bench, config = Bench(name), SearchConfig()
    kind = STRATEGIES[config.strategy]
    reward = max(1, round(bench.batch_size * kind.batch_share))
    small = bench._batch(reward)
    ours, theirs = bench.sets(config.candidates), bench.sets(3)
    mixed, tokens = bench.sets(config.candidates, 2), bench.schedules(config.candidates)
    for sets, schedules in ((ours, None), (mixed, tokens)):
        if bench.shared(sets, small, tokens=schedules) != bench.plain(sets, small, schedules):
            raise SystemExit(f"{name}: sharing changes a loss")
    ran: Counter[str] = Counter()
    bench.shared(ours, small, ran)
    works: dict[str, Callable[[], Any]] = {
        "step": bench.step,
        "round": lambda: bench.shared(ours, small),
        "round_plain": lambda: bench.plain(ours, small),
        "influence": lambda: bench.influence(small),
        "mixture_step": lambda: bench.step(2, tokens[0]),
        "mixture_round": lambda: bench.shared(mixed, small, tokens=tokens),
        "released_round": lambda: bench.plain(theirs, bench.batch),
    }
    for work in works.values():
        work()
    taken: dict[str, list[float]] = {key: [] for key in works}
    for _ in range(repeats):
        for key, work in works.items():
            taken[key].append(seconds(work))
    times = {key: middle(values) for key, values in taken.items()}
    training = TrainConfig(max_steps=_WHOLE, batch_size=bench.batch_size)
    when = schedule(config, TrainingLength.of(training, 1), reward)
    rounds = when.rounds
    step, own = times["step"]["median_s"], times["round"]["median_s"]
    influence = config.batches * times["influence"]["median_s"]
    mixture_step, mixture_round = times["mixture_step"]["median_s"], times["mixture_round"]["median_s"]
    released_rounds = (3 - 1) * _WHOLE / 10 / 10
    steps = macs(bench, ours, ran, reward)
    return {
        "batch": bench.batch_size,
        "reward_batch": reward,
        "image": list(bench.size),
        "text": bench.length,
        "times": times,
        "rounds_in_1000_steps": rounds,
        "cost_ratio_time": 1 + (influence + (rounds - 1) * own) / (_WHOLE * step),
        "mixture_cost_ratio_time": 1 + (influence + (rounds - 1) * mixture_round) / (_WHOLE * mixture_step),
        "cost_ratio_macs": 1 + rounds * steps["round_g"] / (_WHOLE * steps["step_g"]),
        "released_cost_ratio_time": 1 + 0.3 + released_rounds * times["released_round"]["median_s"] / (_WHOLE * step),
        "sharing": {
            "block_runs": ran.total(),
            "block_runs_plain": sum(len(bench.names) - len(one) for one in ours),
            "block_runs_by_arithmetic": block_runs(ours, execution_order(bench)),
            "time_ratio": own / times["round_plain"]["median_s"],
            "macs_ratio": steps["round_g"] / steps["round_plain_g"],
        },
        "macs_g": steps,
    }


def execution_order(bench: Bench) -> list[str]:
    """Blocks in the order in which they run: layer by layer, text before image."""
    return sorted(bench.names, key=lambda name: int(name.rpartition(".")[2]))


def macs(bench: Bench, sets: list[list[str]], ran: Counter[str], reward: int) -> dict[str, float]:
    """G multiply-accumulates of a round, with and without sharing, and of a training step, whose backward pass takes as
    many again as the part of the forward pass that lies above the frozen encoders.
    """
    inputs = example_inputs(bench.model, bench.size, bench.length)
    costs = count_blocks(bench.model, inputs)
    bare = costs.adapted - sum(costs.savings.values())
    plain = [costs.adapted - sum(costs.savings[block] for block in one) for one in sets]
    shared = bare * _below(bench) + (1 - _below(bench)) * bare * len(sets)
    shared += sum(costs.savings[block] * count for block, count in ran.items())
    above = statistics.mean(plain) - bare * _below(bench)
    return {
        "step_g": bench.batch_size * (statistics.mean(plain) + above),
        "round_g": reward * shared,
        "round_plain_g": reward * sum(plain),
    }


def _below(bench: Bench) -> float:
    """Share of what is not in blocks that runs once a round: nearly all of METER's is its encoders; of ViLT's, none is
    counted.
    """
    return 1.0 if family_of(bench.model).adopt_encoders else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(_SIZES), choices=list(_SIZES))
    parser.add_argument("--steps", type=int, default=8, help="turns of each work")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "search_cost.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    command = shlex.join(["python", "benchmarks/search_cost.py", *sys.argv[1:]])
    rows = {}
    for name in options.models:
        rows[name] = measure(name, options.steps)
        write_json(options.output, {"models": rows, "whole": _WHOLE, "command": command, "versions": versions()})
        row = rows[name]
        print(
            f"{name:<12} ours {row['cost_ratio_time']:.3f}x in time, {row['cost_ratio_macs']:.3f}x in operations; "
            f"over mixtures {row['mixture_cost_ratio_time']:.3f}x; "
            f"released {row['released_cost_ratio_time']:.2f}x; sharing {row['sharing']['time_ratio']:.2f}x the time of "
            f"a round, {row['sharing']['block_runs']} block runs instead of {row['sharing']['block_runs_plain']}"
        )


if __name__ == "__main__":
    main()
