"""What keeping the outputs of METER's frozen encoders saves: a training step and a round of comparisons, in turns.

    python benchmarks/encoder_cache.py [--models meter-photos meter-b16] [--repeats 7]

Images and texts are random, the same in every turn. ``plain`` encodes anew, ``warm`` finds everything in the file, and
``cold``, which is measured once, fills it. A round is one held-out batch of half the size with eight subnetworks that
skip 4 fusion layers. Losses of plain and warm must agree to 1e-5 before anything is timed. Seconds are of the
processor, on one thread, so that what else runs on the machine counts little; ratios are warm to plain, turn by turn:
median, lowest and highest. ``work`` is the share of a step's multiply-accumulates that is not the encoders', a step
being worth two forward passes of the fusion. Writes ``benchmarks/results/encoder_cache.json``.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_macs
from skiptune.families.meter.modeling import meter_of
from skiptune.searching.prefix_sharing import evaluate_each

#: Batch size, image side in pixels, tokens.
SIZES = {"meter-photos": (32, 160, 16), "meter-b16": (4, 288, 40)}
ANSWERS, CANDIDATES, SKIPPED = 300, 8, 4


class Bench:
    """One model with LoRA in it, a batch to train on and one to compare on."""

    def __init__(self, name: str, folder: Path) -> None:
        size, side, length = SIZES[name]
        self.model = st.insert(st.load_model(name, "vqa", num_labels=ANSWERS), st.SkipConfig(block_adapter="lora"))
        self.cache = st.EncoderCache(folder / f"{name}.sqlite")
        self.batch = {**example_inputs(self.model, (side, side), length, size), "labels": torch.rand(size, ANSWERS)}
        self.heldout = {key: value[: size // 2] for key, value in self.batch.items()}
        self.optimizer = torch.optim.AdamW([weight for weight in self.model.parameters() if weight.requires_grad], 1e-5)
        blocks, rng = list(st.blocks_of(self.model)), np.random.default_rng(0)
        self.sets = [tuple(rng.choice(blocks, SKIPPED, replace=False)) for _ in range(CANDIDATES)]

    def step(self) -> float:
        self.model.train()
        loss = self.model(**self.batch).loss
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def round(self) -> float:
        self.model.eval()
        return sum(
            float(output.loss)
            for _, output in evaluate_each(self.model, self.sets, partial(self.model, **self.heldout))
        )

    def agrees(self) -> None:
        """The losses with and without the file."""
        plain = self.round()
        with self.cache.attached(self.model):
            self.round()
            kept = self.round()
        assert abs(kept / plain - 1) < 1e-5, (plain, kept)

    def share(self) -> dict[str, float]:
        """Multiply-accumulates of the encoders, of one question, as shares of the whole."""
        one = {key: value[:1] for key, value in self.batch.items() if key != "labels"}
        whole, meter = count_macs(self.model, one), meter_of(self.model)
        text = count_macs(Only(meter.encode_text, meter), {"values": one["input_ids"]})
        image = count_macs(Only(meter.encode_image, meter), {"values": one["pixel_values"]})
        encoders = (text + image) / whole
        return {"encoders": encoders, "work": 2 * (1 - encoders) / (2 * (1 - encoders) + encoders)}


class Only(torch.nn.Module):
    """A part of a model, to count."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor], whole: torch.nn.Module) -> None:
        super().__init__()
        self.function, self.whole = function, whole

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.function(values)


def measure(name: str, repeats: int, folder: Path) -> dict[str, Any]:
    """The row of one model."""
    bench = Bench(name, folder)
    with bench.cache.attached(bench.model):
        cold = seconds(bench.step)
    bench.agrees()
    row: dict[str, Any] = {"batch": len(bench.batch["labels"]), **bench.share(), "cold_step_s": cold}
    for what in (bench.step, bench.round):
        times: dict[str, list[float]] = {"plain": [], "warm": []}
        for _ in range(repeats + 1):
            for kind, found in times.items():
                with bench.cache.attached(bench.model) if kind == "warm" else nullcontext():
                    found.append(seconds(what))
        ratios = [warm / plain for plain, warm in zip(times["plain"][1:], times["warm"][1:], strict=True)]
        row[what.__name__] = {
            "plain_s": median(times["plain"][1:]),
            "warm_s": median(times["warm"][1:]),
            "ratio": median(ratios),
            "low": min(ratios),
            "high": max(ratios),
        }
    return row


def seconds(what: Callable[[], float]) -> float:
    """Of the processor."""
    started = time.process_time()
    what()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "encoder_cache.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(1)
    command = shlex.join(["python", "benchmarks/encoder_cache.py", *sys.argv[1:]])
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.models:
            models[name] = measure(name, options.repeats, Path(folder))
            found = models[name]
            print(
                f"{name:12}  encoders {found['encoders']:.0%} of a forward pass  step {found['step']['ratio']:.2f}× "
                f"(by operations {found['work']:.2f}×)  round {found['round']['ratio']:.2f}×"
            )
    write_json(options.output, {"models": models, "command": command, "versions": versions()})


if __name__ == "__main__":
    main()
