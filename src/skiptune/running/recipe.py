"""A recipe: everything a run needs, checked as a whole before any work starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ..config import Budget, SearchConfig, SkipConfig, TrainConfig
from ..core.distributed import processes
from ..core.validated import Count, Names, Number, Several, Text, Validated
from ..core.validation import LARGEST, Problems
from ..data.data_config import DataConfig
from ..families.task_names import TaskName
from ..methods.compare_config import CompareConfig, MethodName
from ..plan import Plan, TokenSchedule
from ..tasks.generation.settings import GenerationSettings
from ..tasks.retrieval_config import RetrievalConfig

if TYPE_CHECKING:
    from ..families.family import Family


class TimingConfig(Validated):
    """Latency measured at the end of a run.

    Attributes:
        batch_sizes: examples in a batch; each is timed.
        repeats: how often each model takes its turn; ``None``: as often as there is time for, at most 30 times.
        seconds: without ``repeats``, the time for all batch sizes. One that would take longer is left out, except for
            the smallest.
    """

    batch_sizes: Several[Count] = Field(default=(1, 32), min_length=1)
    repeats: int | None = Field(default=None, ge=2, le=LARGEST)
    seconds: Number = Field(default=60, gt=0, le=LARGEST, description="a number of seconds above 0")


class ExportConfig(Validated):
    """What is written of a run's slim model.

    Attributes:
        form: ``standalone``: the slim model, in ``slim/``. ``plain``: beside it, in ``plain/``, a checkpoint that
            transformers' own class reads, where the task has one and ``adapters`` can become a part of the weights.
    """

    form: Literal["standalone", "plain"] = "standalone"


class GivenPlan(Validated):
    """A plan that is given, so that there is nothing to search.

    Attributes:
        skip: names of the blocks that are skipped.
        tokens: where image tokens become fewer, as ``{keep: {3: 0.5, 6: 0.25}, way: merge}``; see
            :class:`skiptune.TokenSchedule`. ``None``: nowhere.
    """

    skip: Names = ()
    tokens: TokenSchedule | None = None

    def check(self, problems: Problems) -> None:
        problems.check(bool(self.skip or self.tokens), "skip, tokens: give one of them, or leave the plan out")

    def of(self, family: str, blocks: Sequence[str]) -> Plan:
        """The plan for a model of a family with these blocks.

        Raises:
            InputError: there are no such blocks.
        """
        return Plan(family, tuple(blocks), self.skip, tokens=self.tokens)


#: LoRA on kept blocks where :class:`SkipConfig` has the paper's bottlenecks: with as many parameters it answers better
#: (``benchmarks/kept_adapters.py``), and merged it costs nothing.
ADAPTERS = SkipConfig(block_adapter="lora")
BUDGET = Budget(num_skip=4)
#: Baselines with the adapters of the run; all others are methods of ``compare``.
OwnBaseline = Literal["unskipped", "random"]
BASELINES: tuple[OwnBaseline, ...] = get_args(OwnBaseline)
Preset = Literal["default", "paper", "lavin", "llava"]
#: Preset → defaults of its sections.
_PRESETS: Mapping[str, Mapping[str, Validated]] = {
    "default": {"adapters": ADAPTERS},
    "paper": {"adapters": SkipConfig.paper(), "search": SearchConfig.paper()},
    "lavin": {"adapters": SkipConfig.lavin(), "search": SearchConfig.lavin()},
    "llava": {"adapters": SkipConfig.llava(), "search": SearchConfig.llava()},
}


#: Sections whose null would read as "none", which it is not → what to write instead.
_NOT_EMPTY: Mapping[str, str] = {
    "bench": "a run always times its models; leave bench out for a minute of it, or give seconds or repeats",
    "baselines": "write [] to train none, or leave it out to train the usual one",
    "data": "name the data, or leave it out for the embedded questions of easy-VQA",
    "adapters": "for none, write block_adapter: none and skip_adapter: none; or leave it out for the usual ones",
    "budget": "leave it out to skip 4 blocks",
    "search": "a run always searches; leave it out to search as usual",
    "train": "a run always trains; leave it out to train as usual",
    "compare": "leave it out to compare the usual methods",
    "export": "a run always exports its slim model; leave it out to do no more",
}


class Recipe(Validated):
    """A complete run.

    Attributes:
        output: directory for all files of the run.
        model: embedded name, directory or hub id.
        preset: ``default``, or ``paper`` for the released semantics, restart included; what the recipe gives overrides
            it. Its training settings depend on the family and the task; :func:`with_preset` puts them in, as soon as a
            run is made of the recipe. ``lavin`` and ``llava``: adapters, search and restart of the released decoders,
            with training settings of one's own.
        start: what the final training starts from: the adapters of the ``search``, whose steps are then the first
            ones of the training, or the ``pretrained`` model with fresh adapters (the paper's restart).
        task: ``vqa``, ``reasoning`` (a statement about one image or two), ``retrieval``, ``entailment``,
            ``classification``, ``regression``, or ``generation`` (answers that a language model writes).
        baselines: methods trained beside it with the same settings: ``unskipped`` and ``random`` have the run's
            adapters with nothing skipped or a random plan; else names of methods of ``compare``, as ``full``. Without
            ``unskipped`` a run does not know what skipping cost; ``[]`` trains none.
        plan: which blocks are skipped and where image tokens become fewer, given instead of a ``budget``; nothing is
            searched then. ``None``: the search finds it.
        compare: which methods ``skiptune compare`` trains side by side, and on which seeds.
        retrieval, generation: how these tasks are trained and measured; ``None`` for the others.
        encoder_cache: largest size in GiB of a file in the output with cached encoder outputs, used by all epochs,
            steps and methods (METER); ``None``: no cache.
    """

    output: Text
    model: Text = "vilt-scenes"
    preset: Preset = "default"
    start: Literal["pretrained", "search"] = "search"
    task: TaskName = "vqa"
    baselines: Several[Literal[OwnBaseline, MethodName]] = ("unskipped",)
    data: DataConfig = DataConfig()
    adapters: SkipConfig = ADAPTERS
    budget: Budget = BUDGET
    plan: GivenPlan | None = None
    search: SearchConfig = SearchConfig()
    train: TrainConfig = TrainConfig()
    bench: TimingConfig = TimingConfig()
    compare: CompareConfig = CompareConfig()
    export: ExportConfig = ExportConfig()
    retrieval: RetrievalConfig | None = None
    generation: GenerationSettings | None = None
    encoder_cache: Number | None = Field(default=None, gt=0, le=LARGEST, description="a number of GiB above 0, or null")

    @model_validator(mode="before")
    @classmethod
    def _with_defaults_of_the_preset(cls, values: object) -> object:
        """Fill in defaults of the preset, and the usual budget for one without a number."""
        if not isinstance(values, dict):
            return values
        name = values.get("preset", "default")
        preset = _PRESETS.get(name, {}) if isinstance(name, str) else {}
        found = dict(values) if name == "default" else {"start": "pretrained", **values}
        if found.get("budget") == {}:
            found["budget"] = BUDGET
        if name == "paper" and isinstance(data := found.get("data", {}), dict):
            found["data"] = {"exif_orientation": False, **data}  # the released code did not look at it
        for section, values_of in preset.items():
            if isinstance(given := found.get(section, {}), dict):
                found[section] = {**values_of.model_dump(mode="json", exclude_unset=True), **given}
        return found

    def check(self, problems: Problems) -> None:
        if self.plan is not None:
            problems.check(self.budget == BUDGET, "budget: the plan is given, so nothing meets a budget; leave one out")
            problems.check(
                "random" not in self.baselines,
                "baselines: random: it draws blocks within a budget, and the plan is given; leave it out",
            )

    @field_validator("retrieval", "generation", mode="before")
    @classmethod
    def _of_this_task(cls, given: object, info: ValidationInfo) -> object:
        task = info.data.get("task")
        if task == info.field_name:
            return {} if given is None else given
        if given is not None and task is not None:
            raise ValueError(f"settings of another task than {task!r}; leave them out")
        return None

    @field_validator(*_NOT_EMPTY, mode="before")
    @classmethod
    def _not_null(cls, given: object, info: ValidationInfo) -> object:
        if given is None:
            raise ValueError(f"null; {_NOT_EMPTY[str(info.field_name)]}")
        return given

    @field_validator("encoder_cache")
    @classmethod
    def _encodings_can_be_kept(cls, gib: float | None, info: ValidationInfo) -> float | None:
        train, adapters = info.data.get("train"), info.data.get("adapters")
        if gib is not None and train is not None and train.augment:
            raise ValueError("train.augment shows other images every time, so nothing could be kept; drop one")
        if gib is not None and adapters is not None and adapters.scope == "global":
            raise ValueError("with adapters.scope: global the encoders are trained too; leave it out")
        return gib

    @property
    def task_options(self) -> dict[str, Any]:
        """Arguments of the task."""
        own = self.retrieval or self.generation
        return {} if own is None else own.to_dict()


def with_preset(recipe: Recipe, family: Family | None = None) -> Recipe:
    """The recipe with ``train`` completed: with ``preset: paper``, by the released settings of the family and task.

    Args:
        recipe: as read; the fields of ``train`` that it gives itself stay.
        family: of its model; ``None``: look it up, for which the model's configuration is read.

    Raises:
        InputError: unknown model, or no family covers it.
    """
    from ..models.loading import load_family

    given = recipe.train.model_fields_set
    if recipe.preset != "paper" or given == TrainConfig.model_fields.keys():
        return recipe
    released = (family or load_family(recipe.model)).released_run(recipe.task)
    own = {name: getattr(recipe.train, name) for name in given}
    training = released.training(own.get("batch_size"), processes())
    return recipe.replace(train=TrainConfig.from_dict({**TrainConfig().to_dict(), **training, **own}))
