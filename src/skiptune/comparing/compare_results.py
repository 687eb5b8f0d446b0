"""The results of a comparison of methods, as ``compare.json`` holds them."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from ..config.skip_config import KeptSkipConfig
from ..core.measurements import Timing
from ..core.validated import Number, Pair, Several, Validated
from ..methods.compare_config import CompareConfig
from ..plan import TokenSchedule
from ..spreading.node import NodeFacts
from .paired_tests import PairedTest


class Row(Validated):
    """A method with one budget, over its seeds. Values are means over the seeds unless it says otherwise.

    Attributes:
        name: the method's, with the budget.
        method: its name in the table of methods.
        title: name in tables and plots.
        skipped: number of blocks.
        trainable_percent, trainable: trained parameters without the task head; the percentage is of the original's.
        macs_g: G multiply-accumulates of one forward pass of the slim form.
        latency_s: its seconds at the first batch size, ``None`` if it was not timed; ``latency_s_by_batch`` at all.
        latency: the timing at the first batch size, its ratio to the original model; ``None``: not recorded.
        train_s: seconds of search and training.
        peak_gib: most memory of the training's process, ``None`` where a system does not tell.
        metric_mean, metric_sd, metric_se: mean, standard deviation and standard error of the metric in percent; the
            latter two are ``None`` for one seed.
        metric_interval: of a single seed, with 95 %, over the records, in [0, 1].
        metric_by_seed: the metric of each.
        seeds: number of them.
        budget: of methods that meet one.
        plans: skipped blocks by seed, likewise; ``strategies``: how they were chosen.
        tokens: token schedules by seed, of those that have one.
        learning_rates: peak, by parameter group.
    """

    name: str
    method: str
    title: str
    skipped: Number
    trainable_percent: Number
    trainable: Number
    macs_g: Number
    latency_s: Number | None
    latency_s_by_batch: dict[str, Number]
    latency: Timing | None = None
    train_s: Number
    peak_gib: Number | None
    metric_mean: Number
    metric_sd: Number | None
    metric_se: Number | None
    metric_interval: Pair[Number] | None = None
    seeds: int
    budget: dict[str, Number] | None
    metric_by_seed: dict[str, Number]
    plans: dict[str, Several[str]] | None
    tokens: dict[str, TokenSchedule] = Field(default={})
    strategies: Several[str] | None
    learning_rates: dict[str, Number]


class RowTest(PairedTest):
    """The paired test of a searched plan's row against that of a rival.

    Attributes:
        pairs: number of seeds that both have.
        interval: of the difference in points over the records, with 95 %; ``None`` where their scores are not known.
    """

    searched: str
    rival: str
    pairs: int
    interval: Pair[Number] | None = None

    @property
    def is_measured(self) -> bool:
        """Whether one is better: the interval over records excludes 0, and so does Student's t where seeds allow it."""
        low, high = self.interval or (-1.0, 1.0)
        over_records = low > 0 or high < 0 or (self.interval is None and self.pairs > 1)
        return over_records and (self.pairs < 2 or (self.p_t is not None and self.p_t < 0.05))


class Failure(Validated):
    """A training that failed, and why."""

    name: str
    seed: int
    reason: str


class Jobs(Validated):
    """How many trainings are done."""

    done: int
    of: int


class MetricName(Validated):
    """The metric of a comparison: its name, the part of the data, and the name of a record."""

    name: str
    part: str
    unit: str


class InputSize(Validated):
    """Sizes for which operations and latency are stated: (height, width) in pixels, and tokens of text."""

    image_size: Pair[int]
    text_length: int


class Training(Validated):
    """The settings of the trainings, and their number of steps."""

    model_config = ConfigDict(extra="allow")

    steps: int
    batch_size: int


class Machine(Validated):
    """Where all this was measured. With ``nodes``, those of a cluster, the trainings ran there, each with ``threads``;
    latency is that of the machine itself.
    """

    device: str
    processors: int | None = None
    threads: int | None = None
    nodes: Several[NodeFacts] = ()


class CompareResults(Validated):
    """The results of a comparison so far.

    Attributes:
        left_out: methods that cannot be used with the model, with the reasons.
        blocks: number of the model's blocks.
        records: number by part of the data.
        notes: what the columns mean.
        command: the command line.
    """

    rows: Several[Row]
    paired: Several[RowTest]
    left_out: dict[str, str]
    failed: Several[Failure]
    jobs: Jobs
    metric: MetricName
    model: str
    task: str
    blocks: int
    input: InputSize | None = None
    records: dict[str, int] = Field(default={})
    training: Training
    adapters: KeptSkipConfig | None = None
    compare: CompareConfig | None = None
    machine: Machine
    batch_sizes: Several[int]
    notes: Several[str]
    command: str
    versions: dict[str, str] = Field(default={})
