"""An experiment: task, records, budget, and settings of search and training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .config import Budget, SearchConfig, TrainConfig
from .core.errors import InputError
from .core.validation import Problems
from .data.given_records import Examples, as_records
from .data.record import Record
from .tasks.task import Task


@dataclass(frozen=True)
class Experiment:
    """The input of :func:`skiptune.search` and :func:`skiptune.fit`.

    Attributes:
        task: the task.
        train: training records, or rows that :func:`skiptune.records` takes.
        valid: held-out records that the search compares subnetworks on, and that a training measures with
            ``eval_steps``; they share no image with ``train``. Without either none are needed.
        budget: how much to skip; only a search needs one.
        search: settings of the search.
        training: optimisation settings of search and training together; their seed also seeds the search.

    Raises:
        InputError: a field is of another type; all problems in one message.
    """

    task: Task
    train: Sequence[Record]
    valid: Sequence[Record] = ()
    budget: Budget | None = None
    search: SearchConfig = field(default_factory=SearchConfig)
    training: TrainConfig = field(default_factory=TrainConfig)

    if TYPE_CHECKING:  # records are made of what is given

        def __init__(
            self,
            task: Task,
            train: Examples,
            valid: Examples = (),
            budget: Budget | None = None,
            search: SearchConfig = ...,
            training: TrainConfig = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        problems = Problems("the experiment is not valid")
        for name, kind in (("task", Task), ("budget", Budget), ("search", SearchConfig), ("training", TrainConfig)):
            value = getattr(self, name)
            fine = isinstance(value, kind) or (name == "budget" and value is None)
            problems.check(fine, f"{name}: {value!r} is not a {kind.__name__}")
        if isinstance(self.task, Task) and not self.task.trained:
            named = type(self.task).__name__
            problems.add(
                f"task: {named} is not trained; evaluate and predict take it with a model trained for {self.task.head}"
            )
        checks = self.task.own_row_checks if isinstance(self.task, Task) else dict
        for name in ("train", "valid"):
            try:
                object.__setattr__(self, name, as_records(getattr(self, name), checks(), name))
            except InputError as error:
                problems.add(str(error))
        problems.raise_any()

    def __repr__(self) -> str:
        records = f"{len(self.train):,} training records, {len(self.valid):,} held out"
        return f"Experiment({self.task.name}, {records}, {self.budget}, {self.search}, {self.training})"

    @property
    def needed_budget(self) -> Budget:
        """The budget of a search.

        Raises:
            InputError: there is none.
        """
        if self.budget is None:
            raise InputError("the search needs a budget, e.g. Budget(num_skip=4); this experiment has none")
        return self.budget
