"""Start skip adapters as a least-squares fit of the blocks they replace, from a few batches.

An adapter is ``W_up · ReLU(W_down · LayerNorm(x)) + b``. Two of its units with opposite weights make a linear one,
``relu(z) − relu(−z) = z``, so ``bottleneck // 2`` directions of a linear map fit into it exactly. The best such map of
``u = LayerNorm(x)`` onto what the block adds, ``r = y − x``, is reduced-rank ridge regression (Izenman, 1975), in
closed form from the second moments of ``u`` and ``r``. Not in the released code, whose adapters start at random.

A folded adapter has no offset, and reads what its neighbour gives it (:mod:`.folded_streams`); all of its units are
directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn

from ..core.arguments import expect_batches
from ..core.distributed import on_main
from ..core.errors import InputError
from ..core.progress import busy
from ..data.record import Record
from ..inserting.block_hooks import Given, block_hooks, output_stream
from ..inserting.selection import blocks_of, choose, skipped_blocks
from ..inserting.stream_hooks import real_tokens
from ..layers.adapters import BottleneckAdapter
from ..layers.blocks import SkippableBlock
from ..layers.folded import FoldedAdapter
from ..models.evaluation_mode import evaluation_mode
from ..tasks.task import Task
from .folded_streams import FoldedStreams
from .reduced_rank import LinearMap, Moments

SkipAdapter: TypeAlias = BottleneckAdapter | FoldedAdapter


@busy("adapters")
def fit_skip_adapters(
    model: nn.Module, task: Task, records: Sequence[Record], batches: int = 8, batch_size: int = 32, seed: int = 0
) -> dict[str, float]:
    """Start every skip adapter as the linear map nearest to the block it stands in for. In place, deterministic.

    Records are drawn by a private generator and pass once through the model with nothing skipped, in evaluation mode. A
    folded adapter is fitted where its kept neighbour applies it when nothing else is skipped. Text padding is left out,
    and image padding where the model masks it (ViLT; METER and BridgeTower do not). Outputs of the unskipped model do
    not change. Units of an adapter that the fit does not need start as with ``init="zero"``. With several processes,
    all use the fit of the first one.

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
    rows = np.random.default_rng(seed).permutation(len(records))[: batches * batch_size]
    parts = [[records[row] for row in rows[k : k + batch_size]] for k in range(0, len(rows), batch_size)]
    return _fit(model, map(task.collate, parts))


@busy("adapters")
def fit_skip_adapters_on(model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> dict[str, float]:
    """As :func:`fit_skip_adapters`, to batches of one's own, for models that are trained by a ``Trainer`` (decoders).

    Args:
        model: a model with adapters inserted.
        batches: arguments of the model by name, as a data loader gives them; all are read, eight of 32 are enough.

    Raises:
        InputError: no batches, no skip adapters, or blocks that were removed.
    """
    return _fit(model, expect_batches("fit_skip_adapters_on", batches))


def _fit(model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> dict[str, float]:
    adapters = skip_adapters_of(model)

    def fit() -> tuple[dict[str, float], dict[str, dict[str, Tensor]]]:
        errors = dict.fromkeys(adapters, 1.0)  # of one that no neighbour applies
        for name, found in _moments(model, batches).items():
            adapter = adapters[name]
            folded, units = isinstance(adapter, FoldedAdapter), adapter.down.out_features
            fitted = found.regress(units if folded else units // 2, offset=not folded)
            _start_as(adapter, fitted)
            errors[name] = fitted.error
        states = {name: {key: value.cpu() for key, value in a.state_dict().items()} for name, a in adapters.items()}
        return errors, states

    errors, states = on_main(fit)
    for name, state in states.items():
        adapters[name].load_state_dict(state)
    return errors


def skip_adapters_of(model: nn.Module) -> dict[str, SkipAdapter]:
    """Skip adapters by block name.

    Raises:
        InputError: there are none.
    """
    adapters = {name: block.skip_adapter for name, block in blocks_of(model).items()}
    found = {name: adapter for name, adapter in adapters.items() if isinstance(adapter, SkipAdapter)}
    if not found:
        raise InputError(
            "this model has no skip adapters on its stream to fit; insert some (skip_adapter, placement: 'stream')"
        )
    return found


def check_fitted(model: nn.Module) -> None:
    """Refuse to train adapters that should have been fitted and were not.

    Raises:
        InputError: ``init`` is ``fit``, and all skip adapters do nothing.
    """
    config = getattr(model, "skip_config", None)
    if config is None or config.init != "fit" or config.skip_adapter == "none":
        return
    outward = [weight for adapter in skip_adapters_of(model).values() for weight in adapter.up.parameters()]
    if not any(bool(weight.any()) for weight in outward):
        raise InputError(
            "init: 'fit' needs data; after insert, call skiptune.fit_skip_adapters(model, task, records), or "
            "skiptune.fit_skip_adapters_on(model, batches) with batches of your own"
        )


@torch.no_grad()
def _moments(model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> dict[str, Moments]:
    """Second moments, over all batches, of what every skip adapter reads, ``u``, and what it should add, ``r``.

    A folded adapter whose block has no neighbour to apply it has none.
    """
    found: dict[str, Moments] = {}
    skipped, device = skipped_blocks(model), next(model.parameters()).device
    choose(model, ())

    def collect(name: str, block: SkippableBlock, given: Given, output: Any) -> None:
        if not isinstance(block.skip_adapter, SkipAdapter):
            return
        x, y = given.stream, output_stream(output)
        pair = folded.pair(name, x, y) if isinstance(block.skip_adapter, FoldedAdapter) else _bottleneck(block, x, y)
        if pair is None:
            return
        mask = block.own_mask(given.args, given.kwargs)
        u, r = (real_tokens(part, mask) for part in pair)
        found.setdefault(name, Moments(u.shape[1], u.device)).add(u, r)

    try:
        with evaluation_mode(model), FoldedStreams(model) as folded, block_hooks(model, collect):
            for batch in batches:
                model(**send_to_device(dict(batch), device))
    finally:
        choose(model, skipped)
    return found


def _bottleneck(block: SkippableBlock, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return cast(BottleneckAdapter, block.skip_adapter).layer_norm(x), block.added(x.double(), y.double())


@torch.no_grad()
def _start_as(adapter: SkipAdapter, found: LinearMap) -> None:
    """Write the map into the adapter's first units, with both projections scaled to the same norm; a bottleneck has two
    units per direction."""
    rank = len(found.down)
    scale = found.down.norm(dim=1).sqrt()
    down, up = found.down / scale[:, None], found.up * scale
    adapter.up.weight.zero_()
    if isinstance(adapter, FoldedAdapter):
        adapter.down.weight[:rank] = down.to(adapter.down.weight)
        adapter.up.weight[:, :rank] = up.to(adapter.up.weight)
        return
    adapter.down.bias.zero_()
    adapter.down.weight[: 2 * rank] = torch.cat((down, -down)).to(adapter.down.weight)
    adapter.up.weight[:, : 2 * rank] = torch.cat((up, -up), dim=1).to(adapter.up.weight)
    adapter.up.bias.copy_(found.offset)
