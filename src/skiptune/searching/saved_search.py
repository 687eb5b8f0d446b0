"""The state of a search as a Trainer's ``trainer_state.json`` holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import TrainerState

from ..config import Budget, SearchConfig
from ..core.distributed import alike
from ..core.errors import InputError
from ..core.validated import Count, Number, Several, Validated
from ..costs.token_costs import TokenCosts
from ..plan import Comparisons, Plan, Round
from .feasible_sets import FeasibleSets
from .mixtures import Subnetworks
from .token_pool import mixtures_of


class SavedSearch(Validated):
    """What a resumed search needs.

    Attributes:
        budget, search: of the search; they cannot change.
        savings, target: of the sets of blocks that meet the budget, as counted or timed when the search began; none of
            mixtures with token schedules.
        tokens: costs under schedules, for those.
        strategy: the strategy's own state.
        comparisons: the cost so far.
        rounds: of comparisons so far.
        draws: subnetworks that were drawn.
        batch_size: of held-out batches.
        micro_batches: of an optimizer step.
        seconds: wall time so far.
        plan: as :meth:`Plan.to_dict` gives it, once it is fixed.
    """

    budget: Budget
    search: SearchConfig
    savings: Several[Number]
    target: Number
    strategy: dict[str, Any]
    comparisons: Comparisons
    rounds: Several[Round]
    draws: int
    batch_size: Count
    micro_batches: Count
    seconds: Number
    plan: dict[str, Any] | None = None
    tokens: TokenCosts | None = None

    @classmethod
    def of(cls, state: TrainerState, name: str, budget: Budget, search: SearchConfig) -> SavedSearch | None:
        """The state of the callback ``name`` in that of a resumed training; ``None``: the training begins.

        Raises:
            InputError: the training began without a search, or with another budget or other settings.
        """
        if not state.global_step:
            return None
        found = state.stateful_callbacks.get(name)
        values = found.get("attributes") if isinstance(found, dict) else None
        if not values:
            raise alike(
                InputError(
                    f"this training has taken {state.global_step} steps without SkipSearch, which searches in the "
                    "first ones; start it over"
                )
            )
        saved = cls.from_dict(values, "trainer_state.json: not the state of a search; edited?")
        if (saved.budget, saved.search) != (budget, search):
            raise alike(
                InputError(
                    f"this search began with {saved.budget} and {saved.search}; they cannot change when it goes on"
                )
            )
        return saved

    def check_micro_batches(self, now: int) -> None:
        """Refuse another number of micro-batches a step where each of them draws.

        Raises:
            InputError: gives both numbers.
        """
        if self.search.draw == "micro_batch" and self.micro_batches != now:
            raise alike(
                InputError(
                    f"train.gradient_accumulation: {now}, but this search began with {self.micro_batches} "
                    "micro-batches a step, each of which draws a subnetwork (search.draw); set it to that again"
                )
            )

    def subnetworks(self, protected: Mapping[str, str]) -> Subnetworks:
        """What meets the budget; blocks of ``protected`` are kept."""
        if self.tokens is not None:
            return mixtures_of(self.tokens, self.budget, self.search, protected)
        return FeasibleSets(tuple(self.savings), self.target)

    @property
    def fixed(self) -> Plan | None:
        """The plan, once it is fixed."""
        return None if self.plan is None else Plan.from_dict(self.plan)
