"""The report of a search: its rounds of comparisons, their cost, and how certain the choice is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from ..config import Budget, SearchConfig
from ..core.formatting import duration
from ..core.validated import Number, Several, Validated
from .token_schedule import TokenSchedule


class _Section(Validated):
    """A part of ``details`` in ``plan.json``. Missing values are left out and unknown ones are ignored, so that plans
    of other versions can be read."""

    model_config = ConfigDict(extra="ignore")

    @model_serializer(mode="wrap")
    def _without_missing(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}


class LoggedLoss(_Section):
    """The mean training loss over the steps since the one logged before, up to and with ``step``."""

    step: int
    loss: Number


class Comparisons(_Section):
    """The cost of comparing subnetworks on held-out records.

    Attributes:
        subnetworks: losses that were measured.
        examples: the sum of the batch sizes of these measurements.
        seconds: wall time of all that.
    """

    subnetworks: int = 0
    examples: int = 0
    seconds: Number = 0.0


class Savings(_Section):
    """A budget in savings: sets of blocks must save at least ``target``.

    Attributes:
        savings: of each block by name: 1 for a number of blocks, else G multiply-accumulates or seconds.
        target: to be reached by their sum.
    """

    savings: dict[str, Number]
    target: Number


class Round(_Section):
    """A round of comparisons.

    Attributes:
        candidates: the subnetworks that were compared, by the numbers of the blocks they skip; numbers from that of the
            blocks on are token schedules, those of ``schedules`` of the report.
        losses: of the candidates, on held-out records.
        preferences: of every block after the round; higher means more skippable.
        rewards: of the candidates, for strategies that learn from rewards.
        confidence: probability that no other set of blocks is better, where the strategy estimates it.
        step: of the training, where the round took place during it.
    """

    candidates: Several[Several[int]]
    losses: Several[Number]
    preferences: Several[Number]
    rewards: Several[Number] | None = None
    confidence: Number | None = None
    step: int | None = None


class Certainty(_Section):
    """How certain the choice is, by the strategy's model of the losses.

    Attributes:
        confidence: probability that no other set of blocks is better.
        expected_regret: expected extra loss against the best set.
        spread: standard deviation of the expected loss over all sets, on the same scale.
        likely: number of sets the best one is among, with 95 % probability.
        sets: number of sets that meet the budget.
    """

    confidence: Number
    expected_regret: Number
    spread: Number
    likely: int
    sets: int


class Nested(_Section):
    """A plan whose training is one for all of its beginnings (``search.nested``).

    Attributes:
        order: names of the skipped blocks; the first ``k`` are skipped in a model that skips ``k``.
        losses: on held-out records, after the training, of the models that skip 0, 1, … of them; empty before.
    """

    order: Several[str]
    losses: Several[Number] = ()


class SearchReport(_Section):
    """How a plan was found; ``print`` shows it in a few lines.

    In ``plan.json`` this is ``details``, where the fields of ``certainty`` stand beside the others, and
    ``training_steps`` is called ``of``.

    Attributes:
        seed: of the search.
        budget: how much was to be skipped.
        allowance: the budget in savings of blocks; with token schedules, with that of the plan as it was compared.
        schedules: the token schedules that the search chose among. That of the plan has, at the end, as many tokens as
            the budget leaves.
        search: its settings.
        seconds: wall time.
        steps: optimizer steps of the search.
        training_steps: optimizer steps of search and training together.
        comparisons: the cost of comparing subnetworks.
        rounds: of comparisons.
        history: logged training losses of the search.
        certainty: how certain the choice is, if the strategy estimates it.
        protected: blocks that had to be kept: name → why.
        nested: the order of the plan's blocks, if the training is for all of its beginnings.
    """

    seed: int | None = None
    budget: Budget | None = None
    allowance: Savings | None = None
    schedules: Several[TokenSchedule] | None = None
    search: SearchConfig | None = None
    seconds: Number | None = None
    steps: int = 0
    training_steps: int | None = Field(default=None, alias="of")
    comparisons: Comparisons | None = None
    rounds: Several[Round] = ()
    history: Several[LoggedLoss] = ()
    certainty: Certainty | None = None
    protected: dict[str, str] | None = None
    nested: Nested | None = None

    model_config = ConfigDict(validate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _certainty_of_file(cls, values: Any) -> Any:
        """``plan.json`` has the fields of :class:`Certainty` beside the others."""
        if isinstance(values, dict) and "confidence" in values:
            return {**values, "certainty": {name: values[name] for name in Certainty.model_fields if name in values}}
        return values

    def to_dict(self) -> dict[str, Any]:
        """As in ``details`` of ``plan.json``."""
        found = self.model_dump(mode="json", by_alias=True)
        certainty = found.pop("certainty", {})
        return {**found, **certainty}

    def __str__(self) -> str:
        return "\n".join(self._shown())

    def _shown(self) -> Iterator[str]:
        took = self.comparisons
        if took is not None:
            rounds = f" in {len(self.rounds)} rounds" if len(self.rounds) > 1 else ""
            schedules = f", with {len(self.schedules)} token schedules" if self.schedules else ""
            yield f"compared:  {took.subnetworks} subnetworks{rounds}{schedules}, {duration(took.seconds)}"
        if self.certainty is not None:
            sure = self.certainty
            sets = (
                f"{sure.confidence:.0%} that no other of {sure.sets:,} sets is better; {sure.likely:,} may be the best"
            )
            yield f"certainty: {sets}"
            yield f"           {sure.expected_regret:.3g} of loss expected to be lost; sets differ by {sure.spread:.3g}"
        for name, why in (self.protected or {}).items():
            yield f"protected: {name}, because {why}"
        if self.nested is not None:
            yield f"order:     {', '.join(self.nested.order)}"
            losses = [f"{number}: {loss:.4f}" for number, loss in enumerate(self.nested.losses)]
            yield from [f"losses:    {', '.join(losses)}"] if losses else []
        of = "" if self.training_steps is None else f" of the training's {self.training_steps:,}"
        seconds = "" if self.seconds is None else f", {duration(self.seconds)} in all"
        yield f"cost:      {self.steps:,}{of} steps{seconds}"
