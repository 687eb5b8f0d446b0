"""What folded skip adapters read and should add, while a model with nothing skipped runs."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn

from ..families.block_kind import Folding
from ..families.registry import family_of
from ..inserting.folding import neighbour_of
from ..inserting.selection import blocks_of
from ..layers.folded import FoldedAdapter


class FoldedStreams(ExitStack):
    """Context that keeps what folded adapters read: the latest output of each kept neighbour's feed-forward network."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        family = family_of(model)
        self._neighbours: dict[str, tuple[Folding, nn.Module]] = {}
        self._latest: dict[nn.Module, Tensor] = {}
        for name, block in blocks_of(model).items():
            neighbour = neighbour_of(model, name) if isinstance(block.skip_adapter, FoldedAdapter) else None
            folding = None if neighbour is None else family.kind_of(neighbour).folding
            if neighbour is not None and folding is not None:
                self._neighbours[name] = folding, neighbour.get_submodule(folding.place)
        for folding, place in self._neighbours.values():
            if folding.side == "output":
                self.enter_context(place.register_forward_hook(self._keep))

    def _keep(self, place: nn.Module, given: Any, output: Tensor) -> None:
        self._latest[place] = output

    def pair(self, name: str, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor] | None:
        """What the adapter of block ``name`` reads and should add, from the block's input and output, all ``(batch,
        tokens, width)``; ``None``: no neighbour applies it."""
        if name not in self._neighbours:
            return None
        folding, place = self._neighbours[name]
        if folding.side == "output":
            return self._latest[place], y.double() - x.double()
        normed: Tensor = place(x)
        return normed, place(y).double() - normed.double()
