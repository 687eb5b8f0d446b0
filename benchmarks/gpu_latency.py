"""Forward passes of the models of ``benchmarks/gpu.py``, as they are and as CUDA graphs, all in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from gpu_graphs import NotCapturedError, captured, logits
from gpu_models import Variant
from gpu_record import why
from skiptune.core.intervals import median_interval
from skiptune.costs.generation import DecodeStep, Prefill
from skiptune.costs.latency import ratios, spread
from skiptune.costs.turns import WARMUP, take_turns

Inputs = Mapping[str, Tensor]
#: Name of a model, and whether it is run as a graph.
Key = tuple[str, bool]


@dataclass
class Passes:
    """What can be timed, and why the rest cannot.

    Attributes:
        runs: the passes.
        facts: of each, for its row.
        failed: reasons.
    """

    runs: dict[Key, nn.Module] = field(default_factory=dict)
    facts: dict[Key, dict[str, Any]] = field(default_factory=dict)
    failed: dict[Key, str] = field(default_factory=dict)

    def fail(self, key: Key, reason: str) -> None:
        """Leave one out."""
        self.runs.pop(key, None)
        self.failed[key] = reason
        torch.cuda.empty_cache()


class Forgetting(nn.Module):
    """A pass that gives its logits alone, and keeps no cache."""

    def __init__(self, run: nn.Module) -> None:
        super().__init__()
        self.run = run

    def forward(self, **inputs: Tensor) -> Tensor:
        """As :func:`gpu_graphs.logits` of the model's output."""
        found = logits(self.run(**inputs))
        if isinstance(self.run, Prefill):
            self.run.cache = None
        return found


def peak_during(run: Callable[[], Any], on_gpu: bool) -> tuple[Any, int | None]:
    """What a call gives, and the bytes at the peak of what torch allocated meanwhile."""
    if not on_gpu:
        return run(), None
    torch.cuda.reset_peak_memory_stats()
    return run(), torch.cuda.max_memory_allocated()


def measured(models: Mapping[str, Variant], inputs: Inputs, seconds: float) -> list[dict[str, Any]]:
    """Rows of one model, type of numbers and batch size, in about so many seconds."""
    generates = isinstance(models["original"].run, Prefill)
    passes = prepared(models, inputs)
    taken = timed(passes, inputs, seconds * (0.7 if generates else 1.0))
    batch = len(inputs["input_ids"])
    rows = list(rows_of("prefill" if generates else "pass", models, passes, taken, batch))
    if generates:
        passes.runs.clear()  # graphs hold memory
        rows += decode_rows(models, inputs, seconds * 0.3)
    return rows


@torch.inference_mode()
def prepared(models: Mapping[str, Variant], inputs: Inputs) -> Passes:
    """Each model as it is, after a pass that tells its memory above what was held before; then each as a graph."""
    passes, on_gpu = Passes(), inputs["input_ids"].is_cuda
    outputs: dict[str, Tensor] = {}
    for key in ((name, graph) for graph in (False, True) for name in models):
        name, graph = key
        try:
            if graph and name in outputs:
                run, differs = captured(models[name].run, inputs, outputs[name])
                passes.runs[key], passes.facts[key] = run, {"differs": differs}
            elif graph:
                passes.fail(key, passes.failed[name, False])
            else:
                eager = Forgetting(models[name].run)
                eager(**inputs)
                before = torch.cuda.memory_allocated() if on_gpu else 0
                outputs[name], peak = peak_during(lambda eager=eager: eager(**inputs), on_gpu)
                passes.runs[key] = eager
                passes.facts[key] = {"peak_bytes": None if peak is None else peak - before}
        except NotCapturedError as reason:
            passes.fail(key, f"not captured: {reason}")
        except Exception as error:
            passes.fail(key, why(error))
    return passes


def timed(passes: Passes, inputs: Inputs, seconds: float) -> dict[Key, list[float]]:
    """Seconds of every round. Where there is no memory for graphs beside the others, without them."""
    while passes.runs:
        models = {f"{name}, graph" if graph else name: run for (name, graph), run in passes.runs.items()}
        try:
            taken = take_turns(models, dict.fromkeys(models, inputs), None, WARMUP, seconds=seconds)
            return dict(zip(passes.runs, taken.values(), strict=True))
        except Exception as error:
            graphs = [key for key in passes.runs if key[1]]
            reason = why(error)
        for key in graphs or list(passes.runs):
            passes.fail(key, f"{reason}, beside the others")
    return {}


@torch.inference_mode()
def decode_rows(models: Mapping[str, Variant], inputs: Inputs, seconds: float) -> Iterator[dict[str, Any]]:
    """Rows of a decode step after the prefills; the caches grow meanwhile."""
    passes = Passes()
    for name, variant in models.items():
        try:
            variant.run(**inputs)
            passes.runs[name, False] = DecodeStep(variant.run)  # type: ignore[arg-type]
        except Exception as error:
            passes.fail((name, False), why(error))
        passes.failed[name, True] = "not captured: the cache grows"
    yield from rows_of("decode step", models, passes, timed(passes, inputs, seconds), len(inputs["input_ids"]))
    for variant in models.values():
        variant.run.cache = None  # type: ignore[assignment]


def rows_of(
    what: str, models: Mapping[str, Variant], passes: Passes, taken: Mapping[Key, list[float]], batch: int
) -> Iterator[dict[str, Any]]:
    """One for each model and way of running it."""

    def macs(name: str) -> float:
        form = models[name].form
        return form.step_macs_g if what == "decode step" else form.macs_g

    for key in ((name, graph) for graph in (False, True) for name in models):
        name, graph = key
        form = models[name].form
        row = {
            "pass": what,
            "model": name,
            "graph": graph,
            "skipped": len(form.skipped),
            "tokens": None if form.tokens is None else form.tokens.to_dict(),
            "macs_g": macs(name),
            "arithmetic": macs("original") / macs(name),
            **passes.facts.get(key, {}),
        }
        if key not in taken:
            yield {**row, "failed": passes.failed[key]}
            continue
        alike = next((taken[base, graph] for base in ("original", "whole") if (base, graph) in taken), None)
        yield {
            **row,
            **spread(taken[key]),
            "rounds": len(taken[key]),
            "per_second": batch / statistics.median(taken[key]),
            **faster("speedup", taken.get(("original", False)), taken[key]),
            **faster("same_way", alike, taken[key]),
        }


def faster(name: str, base: list[float] | None, own: list[float]) -> dict[str, Any]:
    """How many times as fast as ``base``, round by round: median and interval."""
    if base is None:
        return {name: None}
    found = ratios(base, own)
    return {name: statistics.median(found), f"{name}_interval": median_interval(found)}
