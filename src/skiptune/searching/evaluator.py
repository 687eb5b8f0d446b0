"""Compare subnetworks of a model on held-out records."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from ..core.distributed import alike, processes, share_out
from ..core.errors import RunError
from ..data.record import Record
from ..experiment import Experiment
from ..inserting.selection import blocks_of, choose
from ..plan import Comparisons
from ..tasks.task import on_device
from .feasible_sets import Candidate
from .prefix_sharing import evaluate_each


class Evaluator:
    """Compares subnetworks on held-out batches, in evaluation mode, and counts the cost.

    Batches rotate through the held-out records, in an order that changes every pass and depends on the seed alone.
    Several processes share the subnetworks of a batch; all get every loss.

    Args:
        model: whose subnetworks are compared; a candidate counts its skippable blocks from 0.
        experiment: its ``valid`` records are compared on, in an order that its training's seed decides.
        batch_size: of a held-out batch.

    Attributes:
        comparisons: the cost so far.
        largest_piece: records of a held-out batch that the model takes at once.
        block_runs: how often each block was computed in this process, see
            :mod:`skiptune.searching.prefix_sharing`.
    """

    def __init__(self, model: nn.Module, experiment: Experiment, batch_size: int) -> None:
        self.model, self.names = model, tuple(blocks_of(model))
        self.task, self.heldout = experiment.task, experiment.valid
        self.batch_size, self.seed = min(batch_size, len(self.heldout)), experiment.training.seed
        self.largest_piece = experiment.training.batch_size
        self.comparisons = Comparisons()
        self.block_runs: Counter[str] = Counter()

    def choose(self, candidate: Candidate) -> None:
        """Skip the blocks of ``candidate`` from now on."""
        choose(self.model, self.named(candidate))

    def named(self, candidate: Candidate) -> list[str]:
        """The names of its blocks."""
        return [self.names[block] for block in candidate]

    def losses(self, candidates: Sequence[Candidate], number: int) -> list[float]:
        """The loss of every candidate on held-out batch ``number``; bit for bit those of evaluating each by itself.

        Raises:
            RunError: a loss is not finite.
        """

        def evaluate(part: Sequence[Candidate]) -> list[float]:
            sets, found = [self.named(candidate) for candidate in part], [0.0] * len(part)
            for share, piece in self.pieces(number):
                for row, output in evaluate_each(self.model, sets, piece, self.block_runs):
                    found[row] += share * float(output.loss)
            return found

        order = sorted(range(len(candidates)), key=lambda row: candidates[row])  # similar ones go to the same process
        groups = [[int(row) for row in rows] for rows in np.array_split(order, processes()) if len(rows)]
        with self.evaluating():
            parts = share_out([[candidates[row] for row in rows] for rows in groups], evaluate)
        losses = [0.0] * len(candidates)
        for rows, part in zip(groups, parts, strict=True):
            for row, loss in zip(rows, part, strict=True):
                losses[row] = loss
        self.add(len(candidates))
        if not np.isfinite(losses).all():
            raise alike(RunError(f"a validation loss is not finite ({losses}); lower train.learning_rate"))
        return losses

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
        training, started = self.model.training, time.perf_counter()
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(training)
            self.add(0, time.perf_counter() - started)

    def pieces(self, number: int) -> Iterator[tuple[float, dict[str, Tensor]]]:
        """Held-out batch ``number``, where the model is, in pieces no larger than a micro-batch of the training.

        Each comes with its share of the records: a mean over the batch is the sum of the pieces' means times these.
        """
        records = self._records(number)
        batch, count = self.task.collate(records), len(records)
        for start in range(0, count, self.largest_piece):
            end = min(start + self.largest_piece, count)
            piece = {name: rows[start:end] for name, rows in batch.items()}
            yield (end - start) / count, on_device(piece, self.model)

    def _records(self, number: int) -> list[Record]:
        """Its records: passes over a permutation that changes every pass."""
        batches = max(1, len(self.heldout) // self.batch_size)
        taken, place = divmod(number, batches)
        order = np.random.default_rng((self.seed, taken)).permutation(len(self.heldout))
        rows = order[place * self.batch_size :][: self.batch_size]
        return [replace(self.heldout[int(row)], epoch=taken) for row in rows]
