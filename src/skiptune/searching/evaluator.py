"""Compare subnetworks of a model on held-out examples."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

import numpy as np
from torch import Tensor, nn

from ..core.distributed import add_up, alike, processes, share_out
from ..core.errors import InputError, RunError
from ..core.seeding import preserved_random_state
from ..inserting.selection import blocks_of, choose
from ..models.evaluation_mode import evaluation_mode
from ..plan import Comparisons, TokenSchedule
from .feasible_sets import Candidate, parted
from .held_out import Batch, HeldOut
from .loss_weights import weighted_mean
from .prefix_sharing import evaluate_each

#: Gives the rows of held-out batches, to be tried one after the other.
_Batches: TypeAlias = Callable[[], Iterable[Sequence[int]]]


class Evaluator:
    """Compares subnetworks on held-out batches, in evaluation mode, and counts the cost.

    Several processes share the subnetworks of a batch, or its rows; all get every loss. Global generators are left as
    they were.

    Args:
        held_out: whose model's subnetworks are compared; a candidate counts its skippable blocks from 0.
        batch_size: of a held-out batch.
        schedules: the token schedules that a candidate can have, counted on from the blocks.

    Attributes:
        comparisons: the cost so far.
        block_runs: how often each block was computed in this process, see
            :mod:`skiptune.searching.prefix_sharing`.
    """

    def __init__(self, held_out: HeldOut, batch_size: int, schedules: tuple[TokenSchedule, ...] = ()) -> None:
        self.held_out, self.names = held_out, tuple(blocks_of(held_out.model))
        self.batch_size = min(batch_size, len(held_out))
        self.comparisons = Comparisons()
        self.block_runs: Counter[str] = Counter()
        self.schedules = schedules

    @property
    def model(self) -> nn.Module:
        """Whose subnetworks are compared."""
        return self.held_out.model

    def choose(self, candidate: Candidate) -> None:
        """Skip the blocks of ``candidate`` from now on, and let as many image tokens go on as it says."""
        choose(self.model, self.named(candidate), self.tokens(candidate))

    def named(self, candidate: Candidate) -> list[str]:
        """The names of its blocks."""
        return [self.names[block] for block in parted(candidate, len(self.names))[0]]

    def tokens(self, candidate: Candidate) -> TokenSchedule | None:
        """Its token schedule; ``None``: it has none."""
        _, number = parted(candidate, len(self.names))
        return None if number is None else self.schedules[number]

    def losses(self, candidates: Sequence[Candidate], number: int) -> list[float]:
        """The loss of every candidate on held-out batch ``number``. In one process these are bit for bit the losses of
        evaluating each by itself. A batch without labels gives way to the next one that has some.

        Raises:
            InputError: no batch has labels.
            RunError: a loss is not finite.
        """
        losses = self._losses_on(candidates, partial(self._from, number))
        self.add(len(candidates))
        return losses

    def losses_of_first(self, candidates: Sequence[Candidate], count: int) -> list[float]:
        """The loss of every candidate on the first ``count`` held-out rows, or all if there are fewer.

        Raises:
            RunError: a loss is not finite.
        """
        return self._losses_on(candidates, lambda: [range(min(count, len(self.held_out)))])

    def _from(self, number: int) -> Iterator[Sequence[int]]:
        """The rows of held-out batch ``number`` and of those after it, one pass over all."""
        for later in range(number, number + max(1, len(self.held_out) // self.batch_size)):
            yield self.held_out.rows_of(later, self.batch_size)

    def _losses_on(self, candidates: Sequence[Candidate], batches: _Batches) -> list[float]:
        """The losses on the first of some batches of rows that has labels."""
        with self.evaluating():
            evaluate = self._together if self.held_out.together else self._shared
            losses = evaluate(candidates, batches)
        if not np.isfinite(losses).all():
            raise alike(RunError(f"a validation loss is not finite ({losses}); lower the learning rate"))
        return losses

    def _shared(self, candidates: Sequence[Candidate], batches: _Batches) -> list[float]:
        """Each process evaluates some of the candidates, on all rows."""
        order = sorted(range(len(candidates)), key=lambda row: candidates[row])  # similar ones go to the same process
        groups = [[int(row) for row in rows] for rows in np.array_split(order, processes()) if len(rows)]
        parts = share_out(
            [[candidates[row] for row in rows] for rows in groups],
            lambda part: self._whole(part, batches),
        )
        losses = [0.0] * len(candidates)
        for rows, part in zip(groups, parts, strict=True):
            for row, loss in zip(rows, part, strict=True):
                losses[row] = loss
        return losses

    def _whole(self, candidates: Sequence[Candidate], batches: _Batches) -> list[float]:
        for rows in batches():
            weight, losses = self._losses(candidates, self.held_out.pieces_of(rows))
            if weight:
                return losses
        raise _no_labels()

    def _together(self, candidates: Sequence[Candidate], batches: _Batches) -> list[float]:
        """Each process evaluates all candidates, on a part of the rows."""
        for rows in batches():
            weight, losses = self._losses(candidates, self.held_out.own_pieces_of(rows))
            own = [weight, *(weight * loss for loss in losses)] if weight else [0.0] * (len(losses) + 1)
            whole, *sums = add_up(own)
            if whole:
                return [total / whole for total in sums]
        raise _no_labels()

    def _losses(
        self, candidates: Sequence[Candidate], pieces: Iterable[tuple[float, Batch]]
    ) -> tuple[float, list[float]]:
        """The weight of the pieces, and the loss of every candidate over them."""
        sets, weights = [self.named(candidate) for candidate in candidates], list[float]()
        tokens = [self.tokens(candidate) for candidate in candidates]
        found: list[list[float]] = [[] for _ in candidates]
        for weight, piece in pieces:
            weights.append(weight)
            run = partial(self.held_out.loss, piece)
            for row, loss in evaluate_each(self.model, sets, run, self.block_runs, tokens):
                found[row].append(loss)
        return sum(weights), [weighted_mean(losses, weights) for losses in found]

    def refuse_unlabelled(self) -> None:
        """Look at held-out rows up to the first that has labels.

        Raises:
            InputError: none has.
        """
        with preserved_random_state():
            found = any(weight for weight, _ in self.held_out.first(len(self.held_out)))
        if not found:
            raise _no_labels()

    def forward(self, piece: Batch) -> float:
        """Run the model as it stands on a piece of a batch, without gradient; returns the loss."""
        return self.held_out.loss(piece)

    def loss_to_differentiate(self, piece: Batch) -> Tensor:
        """The same loss with its graph."""
        return self.held_out.loss_to_differentiate(piece)

    def pieces(self, number: int, largest: int | None = None) -> Iterator[tuple[float, Batch]]:
        """Held-out batch ``number``, or the next one with labels, in pieces that have some, see
        :meth:`HeldOut.pieces_of`.

        Raises:
            InputError: no batch has labels.
        """
        for rows in self._from(number):
            weighed = self.held_out.pieces_of(rows, largest)
            labelled = ((weight, piece) for weight, piece in weighed if weight)
            if (first := next(labelled, None)) is not None:
                yield first
                yield from labelled
                return
        raise _no_labels()

    def examples(self, number: int) -> Iterator[tuple[float, Batch]]:
        """The rows of that batch, each a batch of its own with its weight."""
        return self.pieces(number, largest=1)

    def add(self, subnetworks: int, seconds: float = 0.0) -> None:
        """Add evaluations of this many subnetworks on a batch, and their time, to the comparisons."""
        before = self.comparisons
        self.comparisons = Comparisons(
            subnetworks=before.subnetworks + subnetworks,
            examples=before.examples + subnetworks * self.batch_size,
            seconds=before.seconds + seconds,
        )

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Context with evaluation mode, whose time is counted."""
        started = time.perf_counter()
        try:
            with evaluation_mode(self.model), preserved_random_state():
                yield
        finally:
            self.add(0, time.perf_counter() - started)


def _no_labels() -> Exception:
    return alike(
        InputError(
            "held_out: all labels of a batch are -100, so that no loss compares subnetworks; leave answers in them "
            "(is a text cut off before its answer?)"
        )
    )
