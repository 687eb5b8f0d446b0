"""Throughput with fewer image tokens and skipped blocks: ViLT-B/32 at 384 x 640 and METER at 384 x 384, batch 8.

    python benchmarks/tokens_throughput.py [--models vilt-b32 meter-b16] [--rounds 8] [--saved 0.6]

Random weights: time does not depend on them. Three plans save the same share of the original's operations
(``--saved``): ``blocks`` skips blocks alone, ``tokens`` lets image tokens become fewer at a quarter, half and three
quarters of the depth, ``both`` does either by half. LoRA is merged, and skipped blocks have no adapters, as in an
export. All run in turns in one process. ``speedup`` is the time of transformers' original (METER: ours without
adapters) over the plan's, round by round; ``over_ours`` that of ours with nothing skipped, whose attention is faster
than transformers' in ViLT; ``arithmetic`` is the ratio of their operations, ``realised`` the share of it that
``over_ours`` reaches. A model's rows replace earlier ones in the output, with the command that measured them.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.intervals import median_interval
from skiptune.core.process import keep_freed_memory, quiet_libraries, versions
from skiptune.core.text_files import read_json
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.latency import ratios
from skiptune.costs.macs import count_blocks, count_macs
from skiptune.costs.turns import take_turns
from skiptune.families.registry import family_of
from skiptune.inserting.pruning import prune
from skiptune.inserting.selection import blocks_of, token_places

#: Image in pixels, tokens of text.
SIZES = {"vilt-b32": ((384, 640), 40), "meter-b16": ((384, 384), 50)}
BATCH = 8


def adapted(name: str) -> Any:
    """With what is merged or folded at export left out."""
    scope = "global" if name.startswith("meter") else "fusion"
    config = st.SkipConfig(block_adapter="lora", skip_adapter="none", scope=scope)
    return st.insert(st.load_model(name, "vqa", quiet=True, num_labels=3129), config, merged=True)


def schedule(model: Any, share: float) -> st.TokenSchedule:
    """The same factor at a quarter, half and three quarters of the image's way; ``share`` of the tokens in the end."""
    places = token_places(model)
    at = [places[len(places) * quarter // 4] for quarter in (1, 2, 3)]
    return st.TokenSchedule(keep={name: share ** ((number + 1) / 3) for number, name in enumerate(at)})


def largest_share(cost: Callable[[float], float], limit: float) -> float | None:
    """The largest share of the image tokens that costs no more than ``limit``; ``None``: no share does."""
    low, high = 0.02, 0.999
    if cost(low) > limit:
        return None
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (middle, high) if cost(middle) <= limit else (low, middle)
    return low


def blocks_saving(model: Any, inputs: Any, saved: float, tokens: st.TokenSchedule | None) -> tuple[str, ...]:
    """As many blocks as it takes, every stack's from its middle outwards."""
    costs = count_blocks(model, inputs, tokens=tokens)
    names = list(costs.savings)
    stacks: dict[str, list[str]] = {}
    for name in names:
        stacks.setdefault(name.rpartition(".")[0], []).append(name)
    middle = {name: abs(own.index(name) - len(own) / 2) / len(own) for own in stacks.values() for name in own}
    skipped: list[str] = []
    for name in sorted(names, key=lambda name: middle[name]):
        if costs.with_skipped(skipped) <= (1 - saved) * costs.original:
            break
        skipped.append(name)
    return tuple(name for name in names if name in skipped)


def plans(model: Any, inputs: Any, saved: float) -> dict[str, st.Plan]:
    """The three, by name."""

    def plan(skipped: Sequence[str], tokens: st.TokenSchedule | None) -> st.Plan:
        return st.Plan(family_of(model).name, tuple(blocks_of(model)), tuple(skipped), tokens=tokens)

    def cost(share: float) -> float:
        return count_blocks(model, inputs, tokens=schedule(model, share)).adapted

    original = count_blocks(model, inputs).original

    def share_for(part: float) -> float | None:
        return largest_share(cost, (1 - part) * original)

    alone, half = share_for(saved), share_for(saved / 2)
    found = {"blocks": plan(blocks_saving(model, inputs, saved, None), None)}
    if alone is not None:
        found["tokens"] = plan((), schedule(model, alone))
    if half is not None:
        tokens = schedule(model, half)
        found["both"] = plan(blocks_saving(model, inputs, saved, tokens), tokens)
    return found


def measured(name: str, saved: float, rounds: int) -> dict[str, Any]:
    """Rows of one model."""
    (height, width), text = SIZES[name]
    torch.manual_seed(0)
    original = st.load_model(name, "vqa", quiet=True, num_labels=3129).eval()
    whole = adapted(name)
    one, batch = example_inputs(whole, (height, width), text), example_inputs(whole, (height, width), text, BATCH)
    models: dict[str, Any] = {"original": original}
    found = plans(whole, one, saved)
    models["whole"] = prune(adapted(name), st.Plan(found["blocks"].family, found["blocks"].blocks, ())).eval()
    for kind, plan in found.items():
        models[kind] = prune(adapted(name), plan).eval()
    operations = {kind: count_macs(model, one) for kind, model in models.items()}
    taken = take_turns(models, dict.fromkeys(models, batch), rounds, 1, name)
    rows = []
    for kind, plan in found.items():
        faster, over_ours = (ratios(taken[base], taken[kind]) for base in ("original", "whole"))
        arithmetic = operations["original"] / operations[kind]
        rows.append(
            {
                "plan": kind,
                "skipped": list(plan.skipped),
                "tokens": None if plan.tokens is None else plan.tokens.to_dict(),
                "macs_g": operations[kind],
                "saved": 1 - operations[kind] / operations["original"],
                "seconds": statistics.median(taken[kind]),
                "speedup": statistics.median(faster),
                "speedup_interval": median_interval(faster),
                "over_ours": statistics.median(over_ours),
                "over_ours_interval": median_interval(over_ours),
                "arithmetic": arithmetic,
                "realised": statistics.median(over_ours) / arithmetic,
            }
        )
        print(name, rows[-1], flush=True)
    return {
        "model": name,
        "image": [height, width],
        "text": text,
        "batch": BATCH,
        "original": {"macs_g": operations["original"], "seconds": statistics.median(taken["original"])},
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--saved", type=float, default=0.6)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "tokens_throughput.json")
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    content = read_json(options.output) if options.output.is_file() else {"models": []}
    models = {model["model"]: model for model in content["models"]}
    for name in options.models:
        models[name] = {
            **measured(name, options.saved, options.rounds),
            "command": shlex.join(["python", "benchmarks/tokens_throughput.py", *sys.argv[1:]]),
            "threads": options.threads,
            "cores": os.cpu_count(),
            "versions": versions(),
        }
        write_json(options.output, {"models": [models[known] for known in SIZES if known in models]})


if __name__ == "__main__":
    main()
