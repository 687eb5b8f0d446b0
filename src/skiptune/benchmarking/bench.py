"""Benchmark any set of models: timed in turns in one process after outputs were compared; memory is measured in a
process per model.

Results are ratios within a round, because the speed of machines drifts. A ratio's interval contains the true median in
95 of 100 benchmarks; if it includes 1, no difference was measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from ..core.errors import InputError, RunError
from ..core.measured_text import left_out
from ..core.process import versions
from ..core.progress import busy, track
from ..core.validation import Problems
from ..costs.block_costs import passes_of
from ..costs.example_inputs import Inputs, example_inputs, size_of_images
from ..costs.macs import count_macs
from ..costs.shapes_only import ShapesOnly
from ..costs.turns import Rounds, take_turns, time_batches
from ..families.registry import family_of
from .bench_config import DTYPES, BenchConfig
from .bench_models import BenchModel, Builder, describe, parse_model
from .bench_result import BenchResult, BenchRow, BenchSettings, ModelSummary
from .memory import measure_alone
from .summarize import summarize, unsafe

_TOLERANCES = {"float32": 1e-5, "bfloat16": 5e-2, "float16": 1e-2}  # relative to the largest output


def bench(models: Sequence[str], config: BenchConfig | None = None) -> BenchResult:
    """Measure ``models``, lines as :func:`skiptune.benchmarking.bench_models.parse_model` reads them.

    Ratios are relative to the first one. Models that differ only in adapters, which start at zero, must give equal
    outputs before anything is timed.

    Raises:
        InputError: models or settings that make no sense.
        RunError: outputs differ that should be equal, or a model cannot be measured by itself.
    """
    config = config or BenchConfig()
    specs = _named(models)
    with _threads(config.threads):
        builder = Builder(config.labels, DTYPES[config.dtype], config.device)
        with busy("loading"):
            built = {name: builder.build(spec) for name, spec in specs.items()}
        settings = _settings(config, next(iter(built.values())))
        with ShapesOnly():
            macs = {name: _count(name, model, settings) for name, model in built.items()}
        for name, spec in specs.items():
            builder.prepare(spec, built[name])
        rows, missing = _timed(specs, built, macs, settings)
    del built, builder  # room for those that are measured alone
    by_itself = track(list(specs.items()), "memory") if config.memory else ()
    alone = [measure_alone(spec.text, settings).replace(model=name) for name, spec in by_itself]
    warnings = (*unsafe(rows), *missing)
    return BenchResult(rows=tuple(rows), models=tuple(alone), warnings=warnings, settings=settings, versions=versions())


def _named(models: Sequence[str]) -> dict[str, BenchModel]:
    """The models by name. One that is given twice, to see how far equal models differ, gets a number."""
    problems, found = Problems("the models cannot be measured"), dict[str, BenchModel]()
    problems.check(len(models) > 0, "none is given; name at least one, e.g. vilt-b32")
    for text in models:
        copies = sum(other.text == text for other in found.values())
        try:
            found[f"{text} ({copies + 1})" if copies else text] = parse_model(text)
        except InputError as error:
            problems.add(str(error))
    problems.raise_any()
    return found


def _settings(config: BenchConfig, first: nn.Module) -> BenchSettings:
    """``config`` with its defaults filled in from the first model and torch."""
    sizes = family_of(first).sizes(first.config)
    size = size_of_images(first, config.image_size)
    length = config.text_length or sizes.text_length
    given = {**config.to_dict(), "image_size": size, "text_length": length, "threads": torch.get_num_threads()}
    return BenchSettings.from_dict(given)


def _timed(
    specs: Mapping[str, BenchModel], built: Mapping[str, nn.Module], macs: Mapping[str, float], settings: BenchSettings
) -> tuple[list[BenchRow], list[str]]:
    """Check and time all models; rows at every batch size, and what was not timed."""

    def take(batch: int, seconds: float) -> Rounds:
        ends = time.perf_counter() + seconds
        inputs = {name: _inputs(name, model, settings, batch) for name, model in built.items()}
        _check_alike(specs, built, inputs, _TOLERANCES[settings.dtype])
        passes = {name: _ready(name, model, inputs[name], settings) for name, model in built.items()}
        left = ends - time.perf_counter()
        return take_turns(passes, inputs, settings.repeats, settings.warmup, f"batch {batch}", left)

    found = time_batches(settings.batch_sizes, settings.repeats, settings.seconds, take)
    described = {name: describe(name, specs[name], model) for name, model in built.items()}
    unskipped = {name: _unskipped(name, specs, described) for name in specs}
    rows = [
        row
        for batch, rounds in found.rounds.items()
        for row in summarize(
            described, rounds, {name: batch * value for name, value in macs.items()}, unskipped, settings, batch
        )
    ]
    told = left_out({str(batch): seconds for batch, seconds in found.left_out.items()}, "--repeats")
    return rows, [] if told is None else [told]


def _count(name: str, model: nn.Module, settings: BenchSettings) -> float:
    """G multiply-accumulates of the pass that is measured, for one example."""
    inputs = _inputs(name, model, settings, 1)
    return count_macs(_ready(name, model, inputs, settings), inputs)


@torch.inference_mode()
def _ready(name: str, model: nn.Module, inputs: Inputs, settings: BenchSettings) -> nn.Module:
    """The pass of a model that is measured; a decode step once its prefill is done.

    Raises:
        InputError: a decode step of a model that makes none.
    """
    first, *steps = passes_of(model, settings.decode)
    if settings.decode and not steps:
        raise InputError(f"decode: {name} generates no text; leave it out")
    if not steps:
        return first.eval()
    first(**inputs)
    return steps[0].eval()


def _check_alike(
    specs: Mapping[str, BenchModel], built: Mapping[str, nn.Module], inputs: Mapping[str, Inputs], tolerance: float
) -> None:
    """Compare the outputs of all models that must give the same."""
    alike: dict[tuple[str, tuple[str, ...], str], dict[str, nn.Module]] = {}
    for name, spec in specs.items():
        if spec.same_outputs is not None:
            alike.setdefault(spec.same_outputs, {})[name] = built[name]
    for group in alike.values():
        check_equal(group, inputs, tolerance)


@torch.inference_mode()
def check_equal(models: Mapping[str, nn.Module], inputs: Mapping[str, Inputs], tolerance: float) -> None:
    """Compare outputs with the first model's, relative to its largest.

    Raises:
        RunError: they differ by more than ``tolerance``.
    """
    reference, outputs = "", torch.empty(0)
    for name, model in models.items():
        found = model(**inputs[name]).logits.float()
        if not reference:
            reference, outputs = name, found
            continue
        difference = float((found - outputs).abs().max() / outputs.abs().max())
        if not difference <= tolerance:
            raise RunError(f"{name}: its outputs differ from {reference}'s by {difference:.1e}; nothing was timed")


def _unskipped(name: str, specs: Mapping[str, BenchModel], described: Mapping[str, ModelSummary]) -> str | None:
    """The unskipped model that a model's savings are relative to; ``None``: there is none with the same kernels."""
    own = described[name]
    for other, row in described.items():
        alike = (row.adapters, row.kernels) == (own.adapters, own.kernels)
        whole = not (specs[other].plain or row.skipped or row.tokens)
        if alike and whole and specs[other].source == specs[name].source:
            return other
    first = next(iter(specs))
    return first if described[first].kernels == own.kernels else None


def _inputs(name: str, model: nn.Module, settings: BenchSettings, batch: int) -> Inputs:
    try:
        return example_inputs(model, settings.image_size, settings.text_length, batch)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
