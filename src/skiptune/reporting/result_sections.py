"""The sections of ``results.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, PlainValidator

from ..config import Budget
from ..core.formatting import file_name
from ..core.measurements import MeasuredParts
from ..core.validated import Number, Pair, Several, Validated
from ..core.validation import Problems
from ..plan import Comparisons, LoggedLoss, Nested, Round, TokenSchedule
from ..training.training_log import LoggedEvaluation


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    return value


#: Any text. File names may have bytes that are not UTF-8; Python keeps them, and pydantic's own ``str`` refuses them.
AnyText = Annotated[str, PlainValidator(_text)]


class RecordedData(Validated):
    """The data section of a recipe, of which reports use the name and the training file."""

    model_config = ConfigDict(extra="allow")

    name: AnyText | None = None
    train: AnyText | Several[AnyText] | None = None

    @property
    def source(self) -> str | None:
        """Where the training records come from: the file or files, else the name of the data."""
        files = (self.train,) if isinstance(self.train, str) else self.train
        return ", ".join(map(file_name, files)) if files else self.name


class RecordedRecipe(Validated):
    """The whole recipe as it was used. Reports print all of it, in this order, and use some of these fields."""

    model_config = ConfigDict(extra="allow")

    output: AnyText | None = None
    model: AnyText | None = None
    preset: str | None = None
    start: str | None = None
    task: str | None = None
    baselines: Several[str] = ()
    budget: Budget | None = None
    data: RecordedData = RecordedData()


class ChosenPlan(Validated):
    """The plan of a run and how it was found; see :class:`skiptune.Plan`.

    Attributes:
        confidence: probability that no other set of blocks is better.
        expected_regret: expected extra loss against the best set.
        spread: standard deviation of the loss between sets.
        likely: number of sets that may be the best, with 95 %.
        sets: number of sets that meet the budget.
        protected: blocks that had to be kept: name → why.
        nested: the order of the blocks and the loss of each beginning, of a nested training.
        tokens: where image tokens become fewer; ``None``: nowhere.
    """

    strategy: str = "given"
    blocks: Several[str]
    skipped: Several[str]
    preferences: dict[str, Number] | None = None
    rounds: Several[Round] = ()
    comparisons: Comparisons | None = None
    confidence: Number | None = None
    expected_regret: Number | None = None
    spread: Number | None = None
    likely: int | None = None
    sets: int | None = None
    protected: dict[str, str] | None = None
    nested: Nested | None = None
    tokens: TokenSchedule | None = None

    def check(self, problems: Problems) -> None:
        for name in self.skipped:
            problems.check(name in self.blocks, f"skipped: {name!r} is none of the blocks")
        for number, entry in enumerate(self.rounds, 1):
            whole = len(entry.preferences) == len(self.blocks)
            problems.check(whole, f"rounds: round {number} does not give every block a preference")
        for name in ("expected_regret", "spread", "likely", "sets"):
            known = self.confidence is None or getattr(self, name) is not None
            problems.check(known, f"{name}: missing, and confidence is given")


class Metric(MeasuredParts):
    """The metric of the run.

    Attributes:
        name: of the task's main measure.
        unit: what one record is called.
    """

    name: str = "accuracy"
    unit: str = "questions"

    @property
    def measure(self) -> str:
        """The key of the main metric in the parts."""
        return self.name if any(self.name in found.metrics for found in self.parts.values()) else "accuracy"


class Baseline(MeasuredParts):
    """A model trained beside the plan's with the same settings.

    Attributes:
        skipped: blocks.
        trainable: parameters that were trained.
        seconds: of the training.
        relative_macs: change of operations against the original model, where it was recorded.
    """

    skipped: Several[str]
    trainable: int | None = None
    seconds: Number | None = None
    relative_macs: Number | None = None


class Operations(Validated):
    """G multiply-accumulates of one forward pass."""

    original: Annotated[Number, Field(gt=0)]
    with_adapters: Number
    with_plan: Number


class InputSize(Validated):
    """Sizes for which operations and latency are stated: (height, width) in pixels, and tokens of text."""

    image_size: Pair[int]
    text_length: int


class Parameters(Validated):
    """Numbers of parameters; those of single groups stand beside these fields.

    Attributes:
        original: of the original model.
        total: with adapters for every choice of blocks.
        trainable: trained in the search.
        slim: of the slim model.
        trained: trained with the plan.
    """

    model_config = ConfigDict(extra="allow")
    if not TYPE_CHECKING:
        __pydantic_extra__: dict[str, int]

    original: int
    total: int
    trainable: int
    slim: int
    trained: int | None = None

    @property
    def groups(self) -> dict[str, int]:
        """Parameters of the model in search by group."""
        return dict(self.model_extra or {})

    @property
    def finally_trained(self) -> int:
        """Parameters of the final training: the adapters that the plan uses, head and small parts."""
        return self.trainable if self.trained is None else self.trained


class Bytes(Validated):
    """Size on disk."""

    slim: int


class Records(Validated):
    """Records by part, bad rows of each part that were left out, rows without a label, and images that could not be
    read."""

    train: int
    validation: int
    reserved: int = 0
    test: int = 0
    bad_rows: dict[str, int] = Field(default={})
    unlabelled: dict[str, int] = Field(default={})
    bad_images: int = 0


class History(Validated):
    """What was logged of search and training.

    Attributes:
        search: training losses of the search.
        train: those of the training with the plan.
        evaluations: of that training, on the validation records.
        best_step: the step of the training whose weights it ended with, if not the last.
    """

    search: Several[LoggedLoss] = ()
    train: Several[LoggedLoss] = ()
    evaluations: Several[LoggedEvaluation] = ()
    best_step: int | None = None


class AdapterStart(Validated):
    """The relative error of fitted skip adapters, by block."""

    relative_error: dict[str, Number]


class Sample(Validated):
    """A record with the accepted and the given answers.

    Attributes:
        image: path of its file.
        score: of the given answer, in [0, 1].
    """

    image: AnyText
    question: AnyText
    accepted: Several[AnyText]
    given: AnyText
    score: Number
