"""The base class of methods: a method adds and freezes parts, and may choose blocks to skip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from ..config import SkipConfig
from ..experiment import Experiment
from ..families.family import Family
from ..families.registry import family_of
from ..inserting.insert import insert
from ..inserting.pruning import prune
from ..inserting.selection import blocks_of
from ..plan import Plan

NO_ADAPTERS = SkipConfig(block_adapter="none")


@dataclass(frozen=True)
class Setup:
    """The sizes of what methods add.

    Attributes:
        adapters: widths, ranks and initialisation of adapters and LoRA; the method decides which kind is used.
        prompt_length: number of learnt tokens at each place.
        parallel_width: bottleneck of scaled parallel adapters; ``None``: as many parameters as the block adapters of
            ``adapters`` would have in a block.
        parallel_scale: factor of their output.
        seed: of all that is drawn.
    """

    adapters: SkipConfig
    prompt_length: int = 16
    parallel_width: int | None = None
    parallel_scale: float = 4.0
    seed: int = 0


@dataclass(frozen=True)
class TrainingContext:
    """The model, the data and the files of a method's training.

    Attributes:
        make: makes the prepared model, with the same weights at every call.
        experiment: as for :func:`skiptune.search` and :func:`skiptune.fit`.
        start: ``search`` or ``pretrained``, as in a recipe: whether the training continues with the adapters of the
            search.
        folder: for intermediate files of the choice of blocks.
        inside: a context for every model that is trained, e.g. that of :class:`skiptune.EncoderCache`.
        checkpoints: directory of the training's checkpoints, to go on from after an interruption.
    """

    make: Callable[[], nn.Module]
    experiment: Experiment
    start: str
    folder: Path
    inside: Callable[[nn.Module], AbstractContextManager[Any]]
    checkpoints: Path


class Method:
    """A method of tuning.

    The head is trained by all of them but ``zero-shot``; the small parts (poolers, token-type embeddings), as in a run,
    by all but that and ``head``.

    Attributes:
        name: in recipes, tables and directories.
        title: name in tables and plots.
        skips: whether it chooses blocks to skip.
        budgeted: whether it meets a budget, by blocks or by image tokens.
        whole: whether gradients go through the whole body, encoders included.
        trains: whether it trains anything; a method that does not is run with one seed only.
        sweeps: for methods with a budget: whether they run with every budget, not only with the recipe's own.
        form: structure at inference, without the plan: methods of the same form and cost have the same latency.
            ``plain``: that of the original.
        own: parameter groups for which the method has its own learning rate.
        rate: factor of the recipe's learning rate for these groups; ``None``: as the recipe says.
    """

    name: str
    title: str
    skips: ClassVar[bool] = False
    budgeted: ClassVar[bool] = False
    whole: bool = False
    trains: ClassVar[bool] = True
    sweeps: ClassVar[bool] = False
    form: str = "plain"
    own: tuple[str, ...] = ("block_adapters",)
    rate: float | None = None

    def refusal(self, family: Family) -> str | None:
        """Why it cannot be used with models of ``family``; ``None``: it can."""
        return None

    def unusable(self, model: nn.Module) -> str | None:
        """As :meth:`refusal`, of the pre-trained ``model`` itself: what the method trains may not be there."""
        return self.refusal(family_of(model))

    def adapters(self, config: SkipConfig) -> SkipConfig:
        """The adapters of a recipe that the method inserts."""
        return config

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        """Add what the method trains to a pre-trained model with its head, and freeze the rest. In place.

        Changes no output by more than rounding, except prompts. Returns ``model``.
        """
        insert(model, NO_ADAPTERS, setup.seed)
        return model

    def unmet(self, model: nn.Module, experiment: Experiment) -> str | None:
        """Why it cannot meet the experiment's budget with a ``model`` that has adapters; ``None``: it can, or has none,
        or whoever asks looks at skipped blocks anyway."""
        return None

    def find_plan(self, model: nn.Module, context: TrainingContext) -> Plan:
        """The blocks to skip, and where image tokens become fewer. The prepared ``model`` is trained for ``plan.steps``
        steps of the training in the search."""
        return nothing_skipped(model)

    def trained_with(self, plan: Plan) -> Plan:
        """The plan of the training, if it is not that of inference."""
        return plan

    def slim(self, model: nn.Module, plan: Plan) -> nn.Module:
        """The form for inference, in place: skipped blocks are removed, LoRA is merged. Returns ``model``."""
        return prune(model, plan)

    def learning_rate_factors(self, recipe: Mapping[str, float], given: float | None = None) -> dict[str, float]:
        """Of all parameter groups: ``given`` or the method's for its own groups, else those of the ``recipe``. Poolers
        go with the small parts."""
        rate = self.rate if given is None else given
        own = {} if rate is None else dict.fromkeys(self.own, rate)
        replaced = {"poolers"} if "small_parts" in own else set()
        return {**{group: factor for group, factor in recipe.items() if group not in replaced}, **own}


def nothing_skipped(model: nn.Module) -> Plan:
    """The plan that keeps all blocks."""
    return Plan(family_of(model).name, tuple(blocks_of(model)), (), "none")
