"""First-order importance: gradient × activation of what a block does (Molchanov et al., 2017 and 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...inserting.selection import blocks_of
from ..evaluator import Trial
from .influence import stream
from .strategy import Strategy


class FirstOrder(Strategy):
    """Skips the blocks whose removal changes the loss least to first order: ``|⟨∂L/∂y, y − s⟩|``, where ``y`` is what
    the block returns and ``s`` what its skip adapter would, as a mean over some held-out batches.

    Nothing is skipped meanwhile.
    """

    name = "first_order"

    def decide(self, trial: Trial, rounds: int) -> list[dict[str, Any]]:
        trial.choose(())
        total = torch.zeros(self.blocks)
        with trial.evaluating(), _recorded(trial.model):
            for number in range(self.config.batches):
                total += self._importance(trial, number)
                trial.count(2)  # a backward pass takes about as long as a forward pass
        self.settle((total / self.config.batches).tolist())
        return []

    def _importance(self, trial: Trial, number: int) -> Tensor:
        """Of every block ``(blocks,)`` on one batch."""
        changes: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(self.blocks)]

        def watch(place: int) -> Any:
            def hook(module: Any, inputs: tuple[Tensor, ...], output: Any) -> None:
                y = stream(output)
                with torch.no_grad():
                    changes[place].append((y, y - module.step_over(inputs[0])))

            return hook

        blocks = blocks_of(trial.model).values()
        hooks = [block.register_forward_hook(watch(place)) for place, block in enumerate(blocks)]
        try:
            loss = trial.model(**trial.batch(number)).loss
        finally:
            for hook in hooks:
                hook.remove()
        outputs = [y for pairs in changes for y, _ in pairs]
        gradients = iter(torch.autograd.grad(loss, outputs))
        first_order = [sum(float((next(gradients) * change).sum()) for _, change in pairs) for pairs in changes]
        return torch.tensor(first_order).abs()


@contextmanager
def _recorded(model: nn.Module) -> Iterator[None]:
    """Everything requires a gradient, so that it reaches frozen encoders too."""
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
