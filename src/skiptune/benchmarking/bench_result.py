"""The result of a benchmark, the content of ``bench.json``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..core.measurements import Timing
from ..core.validated import Count, Number, Pair, Several, Validated
from ..core.validation import LARGEST
from ..plan import TokenSchedule
from .bench_config import BenchConfig

Interval = Pair[Number]
_Pixels = Annotated[int, Field(ge=0, le=LARGEST)]  # none for a language model


class BenchSettings(BenchConfig):
    """The configuration of a benchmark, with its defaults filled in from the first model and torch."""

    image_size: Pair[_Pixels]
    text_length: Count
    threads: Count


class ModelSummary(Validated):
    """The description of a model.

    Attributes:
        model: its name, the text that it was given by.
        family: e.g. ``vilt``.
        skipped: blocks that are gone.
        adapters: kind of the block adapters, or ``none``.
        kernels: ``onednn`` if it was prepared for inference on a CPU, else ``torch``.
        tokens: where image tokens become fewer; ``None``: nowhere.
    """

    model: str
    family: str
    skipped: Several[str]
    adapters: str
    kernels: str
    tokens: TokenSchedule | None = None


class BenchRow(ModelSummary):
    """A model at one batch size.

    Attributes:
        image: ``HEIGHTxWIDTH`` in pixels.
        text: tokens.
        batch: examples in a batch.
        median_s, p10_s, p90_s: seconds of a forward pass: median, 10th and 90th percentile over the rounds.
        throughput: examples per second.
        ratio: to the first model: the median over the rounds; ``ratio_interval`` holds the true one in 95 of 100
            benchmarks.
        macs_g: G multiply-accumulates of one batch.
        realised: share of the saved multiply-accumulates that is saved in time too, against ``realised_to``: the model
            of the same base, adapters and kernels with nothing skipped if there is one, else the first if its kernels
            are the same; ``None`` where nothing is saved.
        rounds: that were timed; ``seconds`` of each, in order.
    """

    image: str
    text: int
    batch: int
    device: str
    dtype: str
    threads: int
    median_s: Number
    p10_s: Number
    p90_s: Number
    throughput: Number
    ratio: Number
    ratio_interval: Interval
    macs_g: Number
    realised: Number | None
    realised_interval: Interval | None
    realised_to: str | None
    rounds: int
    seconds: Several[Number] = ()

    @property
    def timing(self) -> Timing:
        """Its times, without those of every round."""
        return Timing(
            median_s=self.median_s,
            p10_s=self.p10_s,
            p90_s=self.p90_s,
            ratio=self.ratio,
            ratio_interval=self.ratio_interval,
            rounds=self.rounds,
        )


class ModelMemory(Validated):
    """Load time and memory of a model in a process of its own; ``None`` where a system does not tell.

    Attributes:
        model: its name.
        load_s: seconds; ``None`` for random weights, as ``load_peak_bytes``.
        load_peak_bytes: most bytes while it was loaded.
        loaded_bytes: once it was loaded.
        peak_bytes: batch size → most bytes while it ran.
    """

    model: str
    load_s: Number | None
    load_peak_bytes: int | None
    loaded_bytes: int | None
    peak_bytes: dict[str, int | None]


class BenchResult(Validated):
    """A benchmark.

    Attributes:
        rows: one per model and batch size.
        models: load time and memory of each model, if that was asked for.
        warnings: where the spread of the times makes a ratio unreliable.
    """

    rows: Several[BenchRow]
    models: Several[ModelMemory]
    warnings: Several[str]
    settings: BenchSettings
    versions: dict[str, str]
