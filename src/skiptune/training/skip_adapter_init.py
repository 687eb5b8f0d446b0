"""Start skip adapters as a least-squares fit of the blocks they replace, from a few batches.

An adapter is ``W_up · ReLU(W_down · LayerNorm(x)) + b``. Two of its units with opposite weights make a linear one,
``relu(z) − relu(−z) = z``, so ``bottleneck // 2`` directions of a linear map fit into it exactly. The best such map of
``u = LayerNorm(x)`` onto what the block adds, ``r = y − x``, is reduced-rank ridge regression (Izenman, 1975), in
closed form from the second moments of ``u`` and ``r``. Not in the released code, whose adapters start at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.distributed import on_main
from ..core.errors import InputError
from ..core.progress import busy
from ..data.record import Record
from ..inserting.block_hooks import Given, block_hooks, output_stream
from ..inserting.selection import blocks_of, choose, skipped_blocks
from ..layers.adapters import BottleneckAdapter
from ..layers.blocks import SkippableBlock
from ..tasks.task import Task, on_device

_RIDGE = 1e-3  # of the mean variance of u
_NEGLIGIBLE = 1e-10  # a direction that explains less than this share of the best one is left out


@dataclass(frozen=True)
class LinearMap:
    """``r ≈ mean_r + up · down · (u − mean_u)``.

    Attributes:
        down: ``(rank, width)``.
        up: ``(width, rank)``, orthonormal columns.
        offset: ``mean_r − up · down · mean_u``, ``(width,)``.
        error: ``‖r − fit‖ / ‖r‖`` over all tokens it was fitted to.
    """

    down: Tensor
    up: Tensor
    offset: Tensor
    error: float


class Moments:
    """Sums over tokens of ``u``, ``r`` and their products, ``(width, width)`` in float64; no token is kept."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.count = 0
        self.u, self.r = torch.zeros(2, width, dtype=torch.float64, device=device)
        self.uu, self.ur = torch.zeros(2, width, width, dtype=torch.float64, device=device)
        self.rr = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, u: Tensor, r: Tensor) -> None:
        """More tokens, ``(tokens, width)`` both."""
        u, r = u.double(), r.double()
        self.count += len(u)
        self.u += u.sum(0)
        self.r += r.sum(0)
        self.uu += u.T @ u
        self.ur += u.T @ r
        self.rr += r.square().sum()

    def regress(self, rank: int) -> LinearMap:
        """The ridge regression of ``r`` on ``u``, cut down to the ``rank`` directions that explain most of ``r``."""
        mean_u, mean_r, power = self.u / self.count, self.r / self.count, self.rr / self.count
        uu = self.uu / self.count - mean_u.outer(mean_u)
        ur = self.ur / self.count - mean_u.outer(mean_r)
        # at least the smallest positive number, so that constant streams have a solution too
        ridge = max(_RIDGE * float(uu.diagonal().mean()), torch.finfo(torch.float64).tiny)
        full = torch.linalg.solve(uu + ridge * torch.eye(len(uu), dtype=uu.dtype, device=uu.device), ur)
        explained = ur.T @ full
        strength, directions = torch.linalg.eigh((explained + explained.T) / 2)
        keep = min(rank, int((strength > _NEGLIGIBLE * strength[-1].clamp(min=0)).sum()))
        up = directions.flip(1)[:, :keep]
        down = full @ up
        left = power - mean_r.square().sum() - 2 * (up * (ur.T @ down)).sum() + (down * (uu @ down)).sum()
        error = float((left.clamp(min=0) / power).sqrt()) if power > 0 else 0.0
        return LinearMap(down.T, up, mean_r - up @ (down.T @ mean_u), error)


@busy("adapters")
def fit_skip_adapters(
    model: nn.Module, task: Task, records: Sequence[Record], batches: int = 8, batch_size: int = 32, seed: int = 0
) -> dict[str, float]:
    """Start every skip adapter as the linear map nearest to the block it stands in for. In place, deterministic.

    Records are drawn by a private generator and pass once through the model with nothing skipped, in evaluation mode.
    Text padding is left out, and image padding where the model masks it (ViLT; METER and BridgeTower do not). Outputs
    of the unskipped model do not change. Units of an adapter that the fit does not need start as with ``init="zero"``.
    With several processes, all use the fit of the first one.

    Args:
        model: a model with adapters inserted; ``SkipConfig(init="fit")`` expects this call.
        task: makes batches of the records.
        records: to fit to; training ones, not those that rewards are measured on.
        batches: how many at most.
        batch_size: records in each.
        seed: of the choice of records.

    Returns:
        Block name → ``‖x + A(x) − y‖ / ‖y − x‖`` over these tokens, the share of the block's change that skipping
        loses; below 1 if the adapter is better than the identity.

    Raises:
        InputError: no records, no skip adapters, or blocks that were removed.
    """
    if not records:
        raise InputError("there are no records to fit skip adapters to")
    adapters = skip_adapters_of(model)

    def fit() -> tuple[dict[str, float], dict[str, dict[str, Tensor]]]:
        rows = np.random.default_rng(seed).permutation(len(records))[: batches * batch_size]
        parts = [[records[row] for row in rows[k : k + batch_size]] for k in range(0, len(rows), batch_size)]
        maps = {name: found.regress(adapters[name].down.out_features // 2)
                for name, found in _moments(model, task, parts).items()}  # fmt: skip
        for name, found in maps.items():
            _start_as(adapters[name], found)
        states = {name: {key: value.cpu() for key, value in a.state_dict().items()} for name, a in adapters.items()}
        return {name: found.error for name, found in maps.items()}, states

    errors, states = on_main(fit)
    for name, state in states.items():
        adapters[name].load_state_dict(state)
    return errors


def skip_adapters_of(model: nn.Module) -> dict[str, BottleneckAdapter]:
    """Skip adapters by block name.

    Raises:
        InputError: there are none.
    """
    adapters = {name: block.skip_adapter for name, block in blocks_of(model).items()}
    found = {name: adapter for name, adapter in adapters.items() if isinstance(adapter, BottleneckAdapter)}
    if not found:
        raise InputError("this model has no skip adapters to fit; insert them with another block_adapter than 'none'")
    return found


def check_fitted(model: nn.Module) -> None:
    """Refuse to train adapters that should have been fitted and were not.

    Raises:
        InputError: ``init`` is ``fit``, and all skip adapters do nothing.
    """
    config = getattr(model, "skip_config", None)
    if config is None or config.init != "fit" or config.block_adapter == "none":
        return
    outward = [weight for adapter in skip_adapters_of(model).values() for weight in adapter.up.parameters()]
    if not any(bool(weight.any()) for weight in outward):
        raise InputError("init: 'fit' needs data; call skiptune.fit_skip_adapters(model, task, records) after insert")


@torch.no_grad()
def _moments(model: nn.Module, task: Task, parts: Sequence[Sequence[Record]]) -> dict[str, Moments]:
    """Second moments of every block's normed input ``u`` and of what it adds, ``r``, over all batches."""
    found: dict[str, Moments] = {}
    skipped, training = skipped_blocks(model), model.training
    choose(model, ())

    def collect(name: str, block: SkippableBlock, given: Given, output: Any) -> None:
        if not isinstance(block.skip_adapter, BottleneckAdapter):
            return
        x, y = given.stream, output_stream(output)
        mask = block.own_mask(given.args, given.kwargs)
        real = slice(None) if mask is None else mask.flatten()
        x, y = x.flatten(0, -2)[real], y.flatten(0, -2)[real]
        if name not in found:
            found[name] = Moments(x.shape[1], x.device)
        found[name].add(block.skip_adapter.layer_norm(x), block.added(x.double(), y.double()))

    try:
        model.eval()
        with block_hooks(model, collect):
            for part in parts:
                model(**on_device(task.collate(part), model))
    finally:
        model.train(training)
        choose(model, skipped)
    return found


@torch.no_grad()
def _start_as(adapter: BottleneckAdapter, found: LinearMap) -> None:
    """Write the map into the adapter's first units, two units per direction, with both projections scaled to the same
    norm."""
    rank = len(found.down)
    scale = found.down.norm(dim=1).sqrt()
    down, up = found.down / scale[:, None], found.up * scale
    adapter.down.bias.zero_()
    adapter.up.weight.zero_()
    adapter.down.weight[: 2 * rank] = torch.cat((down, -down)).to(adapter.down.weight)
    adapter.up.weight[:, : 2 * rank] = torch.cat((up, -up), dim=1).to(adapter.up.weight)
    adapter.up.bias.copy_(found.offset)
