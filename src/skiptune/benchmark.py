"""Time any set of models side by side: interleaved in one process, outputs compared before, memory each on its own.

What is claimed rests on ratios within a round, because machines drift: a ratio's interval holds the median of all
rounds' ratios in 95 of 100 benchmarks, and one that includes 1 says that no difference was measured.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from .bench_memory import measure_alone
from .bench_models import BenchModel, Builder, describe, parse_model
from .checks import Problems, nearest
from .config import Config, is_number
from .cost import count_macs, example_inputs
from .errors import InputError, RunError
from .families.registry import family_of
from .latency import ratios, spread, take_turns
from .runtime import versions
from .shapes_only import ShapesOnly

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_TOLERANCES = {"float32": 1e-5, "bfloat16": 5e-2, "float16": 1e-2}  # relative to the largest output
_WIDE = 0.3  # p10 to p90 over the median, above which the machine was busy
_FEWEST = 6  # rounds for an interval of 95 %


@dataclass(frozen=True)
class BenchConfig(Config):
    """How models are measured.

    Attributes:
        batch_sizes: rows of a batch; each is a benchmark of its own.
        image_size: (height, width) in pixels; ``None``: the first model's own.
        text_length: tokens; ``None``: the first model's own.
        repeats: rounds that count; in each, every model takes its turn.
        warmup: rounds before that do not.
        threads: of torch; ``None``: as many as torch takes.
        dtype: of weights and images.
        device: ``cpu`` or ``cuda``, timed there by events.
        labels: answers of the head of a model that is not slim.
        memory: also load every model in a process of its own, for load time and memory.
    """

    batch_sizes: tuple[int, ...] = (1,)
    image_size: tuple[int, int] | None = None
    text_length: int | None = None
    repeats: int = 20
    warmup: int = 3
    threads: int | None = None
    dtype: str = "float32"
    device: str = "cpu"
    labels: int = 3129
    memory: bool = True

    def validate(self, problems: Problems) -> None:
        for name, low in (("repeats", 2), ("warmup", 0), ("labels", 2)):
            value = getattr(self, name)
            problems.check(is_number(value, low, whole=True), f"{name}: {value!r} is not a whole number ≥ {low}")
        for name in ("threads", "text_length"):
            value = getattr(self, name)
            problems.check(value is None or is_number(value, 1, whole=True), f"{name}: {value!r} is not ≥ 1 or null")
        sizes = self.batch_sizes
        fine = len(sizes) > 0 and all(is_number(size, 1, whole=True) for size in sizes)
        problems.check(fine, f"batch_sizes: {sizes!r} are not whole numbers ≥ 1")
        problems.check(self.dtype in DTYPES, f"dtype: {self.dtype!r}{nearest(str(self.dtype), DTYPES)}")
        known = self.device in ("cpu", "cuda")
        problems.check(known, f"device: {self.device!r}{nearest(str(self.device), ('cpu', 'cuda'))}")
        if self.device == "cuda":
            problems.check(torch.cuda.is_available(), "device: there is no GPU that torch can use; take 'cpu'")


def bench(models: Sequence[str], config: BenchConfig | None = None) -> dict[str, Any]:
    """Measure ``models``, lines as :func:`skiptune.bench_models.parse_model` reads them; the first is what ratios
    relate to. Models that differ only in adapters, which start at zero, must give equal outputs before anything is
    timed.

    Returns:
        ``rows``, one a model and batch size: ``median_s``, ``p10_s``, ``p90_s`` and ``throughput`` (rows a second);
        ``ratio`` to the first model and its ``ratio_interval``; ``macs_g``, of one batch; ``realised``, the share of
        the saved multiply-accumulates that is saved in time, against ``realised_to``: the model of the same base,
        adapters and kernels with nothing skipped if there is one, else the first if its kernels are the same.
        ``models``: ``load_s``, ``load_peak_bytes``, ``loaded_bytes`` and ``peak_bytes`` of each. ``warnings``: what the
        spread does not allow to claim. ``settings``, ``versions``.

    Raises:
        InputError: models or settings that make no sense.
        RunError: outputs differ that should be equal, or a model cannot be measured by itself.
    """
    config = config or BenchConfig()
    specs = _named(models)
    with _threads(config.threads):
        builder = Builder(config.labels, DTYPES[config.dtype], config.device)
        built = {name: builder.build(spec) for name, spec in specs.items()}
        settings = _settings(config, next(iter(built.values())))
        with ShapesOnly():
            macs = {name: count_macs(model, _inputs(name, model, settings, 1)) for name, model in built.items()}
        for name, spec in specs.items():
            builder.prepare(spec, built[name])
        rows = [row for batch in config.batch_sizes for row in _rows(specs, built, macs, settings, batch)]
    del built, builder  # room for those that are measured alone
    alone = [{"model": name, **measure_alone(spec.text, settings)} for name, spec in specs.items() if config.memory]
    return {"rows": rows, "models": alone, "warnings": unsafe(rows), "settings": settings, "versions": versions()}


def _named(models: Sequence[str]) -> dict[str, BenchModel]:
    """What to measure by name; one that is given twice, to see how far equal models differ, is numbered."""
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


def _settings(config: BenchConfig, first: nn.Module) -> dict[str, Any]:
    """``config`` with what it leaves to the first model and to torch."""
    sizes = family_of(first).sizes(first.config)
    return {
        **asdict(config),
        "batch_sizes": list(config.batch_sizes),
        "image_size": list(config.image_size or (sizes.image_size, sizes.image_size)),
        "text_length": config.text_length or sizes.text_length,
        "threads": torch.get_num_threads(),
    }


def _rows(
    specs: Mapping[str, BenchModel],
    built: Mapping[str, nn.Module],
    macs: Mapping[str, float],
    settings: Mapping[str, Any],
    batch: int,
) -> list[dict[str, Any]]:
    """Check and time all models at one batch size."""
    inputs = {name: _inputs(name, model, settings, batch) for name, model in built.items()}
    alike: dict[Any, dict[str, nn.Module]] = {}
    for name, spec in specs.items():
        if spec.same_outputs is not None:
            alike.setdefault(spec.same_outputs, {})[name] = built[name]
    for group in alike.values():
        check_equal(group, inputs, _TOLERANCES[settings["dtype"]])
    seconds = take_turns(built, inputs, settings["repeats"], settings["warmup"], f"batch {batch}")
    described = {name: {**describe(specs[name], model), "model": name} for name, model in built.items()}
    unskipped = {name: _unskipped(name, specs, described) for name in specs}
    work = {name: batch * value for name, value in macs.items()}
    return summarize(described, seconds, work, unskipped, settings, batch)


def summarize(
    described: Mapping[str, Mapping[str, Any]],
    seconds: Mapping[str, Sequence[float]],
    macs: Mapping[str, float],
    unskipped: Mapping[str, str | None],
    settings: Mapping[str, Any],
    batch: int,
) -> list[dict[str, Any]]:
    """One row a model, from its seconds in every round, by model; ``unskipped`` as :func:`bench` says."""
    first = next(iter(seconds))
    rows = []
    for name, taken in seconds.items():
        against_first, whole = ratios(taken, seconds[first]), unskipped[name]
        saved = 0.0 if whole is None else 1 - macs[name] / macs[whole]
        realised = interval = None
        if whole is not None and saved > 1e-9:
            against_whole = ratios(taken, seconds[whole])
            realised = (1 - statistics.median(against_whole)) / saved
            low, high = median_interval(against_whole)
            interval = [(1 - high) / saved, (1 - low) / saved]
        times = spread(taken)
        rows.append(
            {
                **described[name],
                "image": "x".join(map(str, settings["image_size"])),
                "text": settings["text_length"],
                "batch": batch,
                **{key: settings[key] for key in ("device", "dtype", "threads")},
                **times,
                "throughput": batch / times["median_s"],
                "ratio": statistics.median(against_first),
                "ratio_interval": list(median_interval(against_first)),
                "macs_g": macs[name],
                "realised": realised,
                "realised_interval": interval,
                "realised_to": whole if realised is not None else None,
                "rounds": len(taken),
            }
        )
    return rows


def median_interval(values: Sequence[float], share: float = 0.95) -> tuple[float, float]:
    """Order statistics that hold the true median in ``share`` of all cases, whatever the distribution.

    With fewer than 6 values there are none; then the lowest and the highest.
    """
    ordered, count = sorted(values), len(values)
    below, tail = 0, 0.0
    for place in range(count // 2):
        tail += math.comb(count, place) / 2**count
        if 2 * tail > 1 - share:
            break
        below = place
    return ordered[below], ordered[count - 1 - below]


def unsafe(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the spread of the times does not allow to claim."""
    found = []
    for batch in dict.fromkeys(row["batch"] for row in rows):
        group = [row for row in rows if row["batch"] == batch]
        if group[0]["rounds"] < _FEWEST:
            found.append(
                f"batch {batch}: {group[0]['rounds']} rounds are too few for an interval; take {_FEWEST} or more"
            )
        busy = sum(row["p90_s"] - row["p10_s"] > _WIDE * row["median_s"] for row in group)
        if busy:
            found.append(
                f"batch {batch}: the times of {busy} of {len(group)} models spread over more than {_WIDE:.0%} of their "
                "median; is the machine busy? Trust ratios, not milliseconds"
            )
        for row in group[1:]:
            low, high = row["ratio_interval"]
            if low <= 1 <= high:
                found.append(
                    f"batch {batch}: {row['model']} takes {row['ratio']:.2f}× of {group[0]['model']}, but the interval "
                    f"{low:.2f} to {high:.2f} includes 1: no difference was measured; more --repeats may find one"
                )
    return found


@torch.inference_mode()
def check_equal(models: Mapping[str, nn.Module], inputs: Mapping[str, dict[str, Any]], tolerance: float) -> None:
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


def _unskipped(name: str, specs: Mapping[str, BenchModel], described: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The model that a model's savings are counted from; ``None``: only with other kernels, which save time too."""
    own = described[name]
    for other, row in described.items():
        alike = all(row[key] == own[key] for key in ("adapters", "kernels"))
        if alike and specs[other].source == specs[name].source and not specs[other].plain and not row["skipped"]:
            return other
    first = next(iter(specs))
    return first if described[first]["kernels"] == own["kernels"] else None


def _inputs(name: str, model: nn.Module, settings: Mapping[str, Any], batch: int) -> dict[str, Any]:
    try:
        return example_inputs(
            model, (settings["image_size"][0], settings["image_size"][1]), settings["text_length"], batch
        )
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
