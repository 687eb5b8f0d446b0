"""Strategies that skip one stretch of neighbouring blocks: the one over which the residual stream turns least."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import torch
from torch import Tensor, nn

from ...config.skip_config import Half
from ...core.errors import InputError
from ...inserting.selection import blocks_of
from ...inserting.stream_hooks import real_tokens, stream_hooks
from ...plan import Round
from ...plan.block_names import stack_of
from ..evaluator import Evaluator
from ..feasible_sets import Candidate
from .strategy import Strategy


class Stretch(Strategy):
    """Of all stretches of neighbouring blocks that meet the budget, the one with the smallest mean distance between the
    residual stream before and after it, over some held-out batches.

    Nothing is skipped during the measurement. A stretch lies in one stack of layers, and is no longer than it must be.
    A block's preference is minus the smallest distance of a stretch that it is in; of blocks in none, minus 1.
    """

    def distances(self, before: Tensor, after: Tensor) -> Tensor:
        """Between streams ``(…, width)``: ``(…)``, in [0, 1] or [0, 2]."""
        raise NotImplementedError

    def tokens(self, stream: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """Those that count of ``(batch, tokens, width)``: ``(rows, width)``."""
        return real_tokens(stream, mask)

    def check(self) -> None:
        halves = {name.rpartition(".")[2] for name in self.names} & {*get_args(Half)}
        if len(halves) == 1:
            raise InputError(
                f"strategy: {self.name!r} compares the stream before and after a stretch of layers, and of these only "
                f"{halves.pop()} can be skipped; take whole layers, or parts: [attention, mlp]"
            )
        if not list(self.stretches()):
            raise InputError(
                f"strategy: {self.name!r}: no stretch of neighbouring blocks meets the budget; ask for less, or take "
                "another strategy"
            )

    def decide(self, evaluator: Evaluator, rounds: int) -> list[Round]:
        evaluator.choose(())
        measured = Measured(self, evaluator.model, evaluator.names)
        with stream_hooks(evaluator.model, measured.watch), evaluator.evaluating():
            for number in range(self.config.batches):
                for _, piece in evaluator.pieces(number):
                    evaluator.forward(piece)
                evaluator.add(1)
        self.choose_from(measured)
        return []

    def choose_from(self, measured: Measured) -> Candidate:
        """Choose the stretch of least distance, and return it."""
        found = {stretch: measured.mean(stretch) for stretch in measured.sums}
        self.choice = min(found, key=lambda stretch: (found[stretch], len(stretch), stretch))
        self.preferences = [
            -min((far for stretch, far in found.items() if block in stretch), default=1.0)
            for block in range(self.blocks)
        ]
        return self.choice

    def stretches(self) -> Iterator[Candidate]:
        """From every block on the shortest one that meets the budget. One that holds another is left out."""
        found: list[Candidate] = []
        for first in range(self.blocks):
            stretch: list[int] = []
            for block in self._stack_from(first):
                if self.feasible.savings[block] <= 0:
                    break
                stretch.append(block)
                if self.feasible.met(stretch):
                    found.append(tuple(stretch))
                    break
        return (one for one in found if not any(set(other) < set(one) for other in found))

    def _stack_from(self, first: int) -> list[int]:
        stack = stack_of(self.names[first])
        return [block for block in range(first, self.blocks) if stack_of(self.names[block]) == stack]


class Measured:
    """Distances over the stretches of a model that runs.

    Of the streams before blocks, those are kept that begin a stretch, for one batch.
    """

    def __init__(self, strategy: Stretch, model: nn.Module, names: tuple[str, ...]) -> None:
        self.strategy, self.blocks = strategy, blocks_of(model)
        stretches = list(strategy.stretches())
        self.starts: dict[str, list[Candidate]] = {}
        self.ends: dict[str, list[Candidate]] = {}
        for stretch in stretches:
            self.starts.setdefault(names[stretch[0]], []).append(stretch)
            self.ends.setdefault(names[stretch[-1]], []).append(stretch)
        self.before: dict[Candidate, Tensor] = {}
        self.sums = dict.fromkeys(stretches, 0.0)
        self.counts = dict.fromkeys(stretches, 0)

    def watch(self, name: str, before: Tensor, after: Tensor, mask: Tensor | None) -> None:
        causal = self.blocks[name].causal
        if name in self.starts:
            begun = self.strategy.tokens(before, mask, causal).float()
            self.before.update(dict.fromkeys(self.starts[name], begun))
        for stretch in self.ends.get(name, ()):
            ended = self.strategy.tokens(after, mask, causal).float()
            far = self.strategy.distances(self.before.pop(stretch), ended)
            self.sums[stretch] += float(far.sum())
            self.counts[stretch] += far.numel()

    def mean(self, stretch: Candidate) -> float:
        return self.sums[stretch] / max(1, self.counts[stretch])


def cosine(before: Tensor, after: Tensor) -> Tensor:
    """The cosine of the angle between streams ``(…, width)``: ``(…)``."""
    return torch.cosine_similarity(before, after, dim=-1)
