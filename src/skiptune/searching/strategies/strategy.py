"""The base class of strategies."""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

import numpy as np

from ...config import SearchConfig
from ...core.errors import InputError
from ...plan import Certainty, Round, TokenSchedule
from ..evaluator import Evaluator
from ..feasible_sets import Candidate, FeasibleSets, parted
from ..mixtures import Mixtures, Subnetworks

#: The state of a strategy for a resume: JSON values, as ``trainer_state.json`` has them.
State: TypeAlias = dict[str, Any]


class Strategy:
    """A way to choose the blocks to skip.

    While adapters train, :meth:`draw` gives the subnetwork of each step. Some strategies compare subnetworks on
    held-out records during the training, at intervals, in :meth:`compare`. At the end :meth:`decide` is called once for
    every strategy; then :meth:`best` is the choice. All randomness comes from private generators seeded by ``(seed,
    step, …)``: independent of other random numbers, and the same after a resume.

    Args:
        subnetworks: those that meet the budget: sets of blocks, or mixtures with token schedules.
        config: search settings.
        seed: seed of all random numbers.
        names: names of the blocks.

    Attributes:
        preferences: a number for every block, for reports and plots; higher means more skippable.
    """

    name: ClassVar[str]
    #: Whether it needs trained adapters to choose.
    trains: ClassVar[bool] = True
    #: Whether it compares subnetworks during the training, or only at its end.
    compares_while_training: ClassVar[bool] = False
    #: Size of a held-out batch where none is set, as a share of the training batch of all processes.
    batch_share: ClassVar[float] = 1.0

    def __init__(self, subnetworks: Subnetworks, config: SearchConfig, seed: int, names: tuple[str, ...]) -> None:
        self.subnetworks, self.config, self.seed, self.names = subnetworks, config, seed, names
        self.blocks = len(names)
        self.preferences = [0.0] * self.blocks
        self.choice: Candidate = subnetworks.only or ()

    @property
    def feasible(self) -> FeasibleSets:
        """The sets of blocks that meet the budget, for a strategy that chooses blocks alone.

        Raises:
            InputError: there are token schedules to choose too.
        """
        if isinstance(self.subnetworks, Mixtures):
            raise InputError(f"strategy: {self.name}: it chooses blocks alone; leave search.tokens out")
        return self.subnetworks

    @property
    def schedules(self) -> tuple[TokenSchedule, ...]:
        """The token schedules that a candidate can have, counted on from the blocks."""
        return self.subnetworks.schedules if isinstance(self.subnetworks, Mixtures) else ()

    @property
    def searches(self) -> bool:
        """Whether it needs trained adapters to choose, and there is anything to choose."""
        return self.trains and self.subnetworks.only is None

    def check(self) -> None:
        """Refuse settings that cannot work, before any training.

        Raises:
            InputError: says which and why.
        """

    def draw(self, step: int, sets: FeasibleSets | None = None) -> Candidate:
        """The subnetwork that trains at ``step``: blocks in random order, until there are enough of them.

        ``sets``: those to draw from; ``None``: those that meet the budget.
        """
        return (sets or self.subnetworks).drawn(self.generator(step))

    def compare(self, evaluator: Evaluator, step: int) -> Round:
        """A round of comparisons between some subnetworks."""
        raise NotImplementedError

    def decide(self, evaluator: Evaluator, rounds: int) -> list[Round]:
        """Choose, from earlier rounds or by comparing now, in at most ``rounds`` rounds. Returns the new rounds."""
        return []

    def best(self) -> Candidate:
        """The blocks to skip, in increasing order, and the number of the token schedule, if there is one."""
        return self.choice

    def chosen(self) -> tuple[str, ...]:
        """The names of the blocks."""
        return tuple(self.names[block] for block in parted(self.best(), self.blocks)[0])

    def chosen_tokens(self) -> TokenSchedule | None:
        """The token schedule."""
        _, number = parted(self.best(), self.blocks)
        return None if number is None else self.schedules[number]

    def state(self) -> State:
        """The state that a resume needs, as JSON values."""
        return {"preferences": list(self.preferences)}

    def restore(self, state: State) -> None:
        """Restore the state from :meth:`state`."""
        self.preferences = [float(value) for value in state["preferences"]]

    def certainty(self) -> Certainty | None:
        """How certain the choice is; ``None``: this strategy does not estimate it."""
        return None

    def generator(self, *entropy: int) -> np.random.Generator:
        """A private generator for one purpose."""
        return np.random.default_rng((self.seed, *entropy))

    def choose_least(self, loss_increases: list[float]) -> None:
        """Choose the blocks whose skipping raises the loss least, all together."""
        self.preferences = [-value for value in loss_increases]
        self.choice = self.feasible.best(loss_increases)
