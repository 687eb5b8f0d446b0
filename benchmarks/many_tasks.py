"""Many tasks on one base, of ViLT-B/32's size: what going from one to another takes, and what a further task costs.

    python benchmarks/many_tasks.py [--rounds 10] [--image 384 384]

Random weights: a base on disk, and a slim model beside it for each of four tasks (4 of 12 blocks skipped, other ones
each), then one more with LoRA. The answers of every task are compared with those of its slim model loaded alone (bit
for bit; LoRA, which is merged there, to 1e-5) before anything is timed. Making the files, attaching and loading run in
processes of their own. ``benchmarks/results/many_tasks.json`` tells

- ``switch``: seconds to get another task's model, over many random switches;
- ``call``: seconds of a forward pass right after a switch and of the same again, in turns, and the median difference;
- ``to_alone``: time of a forward pass on the base relative to that of the slim model alone, in turns;
- a row a task: seconds to attach it, bytes of its own weights, growth of the resident memory (the first one also
  loads code); seconds to load it alone, and bytes of its weights then.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import random
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, resident_bytes, versions
from skiptune.costs import latency
from skiptune.costs.example_inputs import example_inputs
from skiptune.families.registry import family_of

#: Task → class of its head, labels, adapters. Those with LoRA come last.
TASKS = {
    "vqa": ("vqa", 3129, "bottleneck"),
    "reasoning": ("reasoning", 2, "bottleneck"),
    "retrieval": ("retrieval", 2, "bottleneck"),
    "entailment": ("entailment", 3, "bottleneck"),
    "vqa-lora": ("vqa", 3129, "lora"),
}
SWITCHES = 20_000
_COMPARED = ("vqa", "vqa-lora")


def make_files(folder: Path) -> None:
    """Write the base, and for every task its slim model: what was trained beside the base, and all of it alone."""
    st.load_model("vilt-b32", "entailment").save_pretrained(folder / "base")
    for number, (name, (head, labels, adapters)) in enumerate(TASKS.items()):
        pair = family_of(st.load_model("vilt-tiny", "vqa")).pair_config if head == "reasoning" else {}
        model = st.load_model(str(folder / "base"), head, quiet=True, num_labels=labels, **pair)
        st.insert(model, st.SkipConfig(block_adapter=adapters))
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
        blocks = tuple(st.blocks_of(model))
        plan = st.Plan("vilt", blocks, blocks[number : number + 4])
        st.export(model, folder / name, plan, form="adapters")
        st.export(model, folder / f"{name}-alone", plan, form="standalone")


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return resident_bytes() or 0


def timed(make: Callable[[], Any]) -> tuple[Any, float, int]:
    """What ``make`` gives, its seconds, and by how many bytes the process has grown."""
    before, started = resident(), time.perf_counter()
    made = make()
    seconds = time.perf_counter() - started
    return made, seconds, resident() - before


@torch.inference_mode()
def measure_alone(folder: Path, image: tuple[int, int], text: int) -> dict[str, dict[str, Any]]:
    """Every slim model by itself: outputs, seconds to load it, and bytes of weights."""
    found = {}
    st.load(folder / "vqa-alone")  # loads code
    for name in TASKS:
        model, seconds, _ = timed(lambda name=name: st.load(folder / f"{name}-alone"))
        logits = model(**example_inputs(model, image, text)).logits.tolist()
        size = sum(value.nbytes for value in (*model.parameters(), *model.buffers()))
        found[name] = {"logits": logits, "alone_load_s": seconds, "alone_bytes": size}
    return found


@torch.inference_mode()
def measure(
    folder: Path, image: tuple[int, int], text: int, rounds: int, alone: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """All tasks on one base."""
    base, base_seconds, base_grown = timed(lambda: st.SharedBase(folder / "base"))
    rows = []
    for name, (_, _, adapters) in TASKS.items():
        _, seconds, grown = timed(lambda name=name: base.attach(name, folder / name))
        own = {"task": name, "adapters": adapters, "attach_s": seconds, "own_bytes": base.own_nbytes(name)}
        others = {key: alone[name][key] for key in ("alone_load_s", "alone_bytes")}
        rows.append({**own, "rss_growth_bytes": grown, **others})
    keep_freed_memory()
    inputs = {name: example_inputs(base[name], image, text) for name in base}
    refuse_other_answers(base, inputs, alone)
    places = weights_of(base)
    result = {
        "base_bytes": base.nbytes,
        "base_load_s": base_seconds,
        "base_rss_growth_bytes": base_grown,
        "tasks": rows,
        "switch": spread(time_switches(base)),
        "call": time_calls(base, inputs, rounds),
        "to_alone": {name: ratio(base[name], folder / f"{name}-alone", inputs[name], rounds) for name in _COMPARED},
    }
    if weights_of(base) != places:
        raise SystemExit("weights have moved")
    return result


def refuse_other_answers(base: st.SharedBase, inputs: dict[str, Any], alone: dict[str, dict[str, Any]]) -> None:
    """Stop unless every task says what its slim model alone says."""
    for name, (_, _, adapters) in TASKS.items():
        found, expected = base[name](**inputs[name]).logits, torch.tensor(alone[name]["logits"])
        difference = float((found - expected).abs().max() / expected.abs().max())
        if difference > (0 if adapters == "bottleneck" else 1e-5):
            raise SystemExit(f"{name}: outputs differ from the slim model's by {difference:.1e} relative")


def weights_of(base: st.SharedBase) -> dict[str, list[int]]:
    """Where the weights of all tasks are."""
    return {name: [value.data_ptr() for value in base[name].parameters()] for name in base}


def time_switches(base: st.SharedBase) -> list[float]:
    """Seconds of each of many look-ups of another task than the one before."""
    rng, names, last, found = random.Random(0), list(base), "", []
    for _ in range(SWITCHES):
        last = rng.choice([name for name in names if name != last])
        started = time.perf_counter()
        base[last]
        found.append(time.perf_counter() - started)
    return found


def time_calls(base: st.SharedBase, inputs: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Every task in turn, twice: right after the switch, look-up included, and again."""
    first, again = [], []
    for turn in range(1 + rounds):
        for name in base:
            for seconds in (first, again):
                started = time.perf_counter()
                base[name](**inputs[name])
                if turn:  # one for warming up
                    seconds.append(time.perf_counter() - started)
    difference = statistics.median(one - other for one, other in zip(first, again, strict=True))
    return {"after_switch": spread(first), "again": spread(again), "difference_median_s": difference}


def ratio(model: Any, alone: Path, inputs: Any, rounds: int) -> float:
    """Time of ``model`` relative to that of the slim model in ``alone``."""
    return st.compare_latency({"alone": st.load(alone), "on base": model}, inputs, max(2, rounds))["on base"].ratio


def spread(seconds: list[float]) -> dict[str, float]:
    return {**latency.spread(seconds), "count": len(seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="of calls: twice every task")
    parser.add_argument("--image", type=int, nargs=2, default=[384, 384], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--text", type=int, default=40)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "many_tasks.json")
    options = parser.parse_args()
    size = (tuple(options.image), options.text)
    with (
        tempfile.TemporaryDirectory() as scratch,
        multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool,
    ):
        pool.apply(make_files, (Path(scratch),))
        alone = pool.apply(measure_alone, (Path(scratch), *size))
        result = pool.apply(measure, (Path(scratch), *size, options.rounds, alone))
    machine = {"cores": os.cpu_count(), "load": os.getloadavg(), "threads": torch.get_num_threads()}
    command = shlex.join(["python", "benchmarks/many_tasks.py", *sys.argv[1:]])
    write_json(options.output, {**result, "command": command, "versions": versions(), "machine": machine})
    switch, call = result["switch"], result["call"]
    print(f"switch: {switch['median_s'] * 1e3:.4f} ms (p90 {switch['p90_s'] * 1e3:.4f})")
    after, again = (call[key]["median_s"] * 1e3 for key in ("after_switch", "again"))
    print(f"call after it {after:.1f} ms, again {again:.1f} ms; difference {call['difference_median_s'] * 1e3:.2f} ms")
    print("time to that of the slim model alone: ", result["to_alone"])
    for row in result["tasks"]:
        own, grown, whole = (row[key] / 2**20 for key in ("own_bytes", "rss_growth_bytes", "alone_bytes"))
        print(
            f"{row['task']:<12}attach {row['attach_s']:.2f} s, alone {row['alone_load_s']:.2f} s; "
            f"{own:.1f} MiB, grown by {grown:.1f} MiB, alone {whole:.1f} MiB"
        )


if __name__ == "__main__":
    main()
