"""One pass through a decoder in which image tokens become fewer, or pass some layers unchanged.

From a layer with a reduction on, the stream holds fewer tokens, in the order of the text. The layers are given what
belongs to them: positions as they were, and a mask of the tokens that are left, those in the cache too. A token that
stands for several gets the logarithm of their number added to the scores of attention to it. After the last layer the
stream is as long as the text again: tokens that were left out have the value they had last.

By which attention ``prune`` goes: image tokens rate each other. Text before an image cannot see it, and text behind it
is not there yet when a cache is filled, and grows as an answer does. Ratings by text would make cached generation
another computation than uncached, and the answer that a model is trained on would have a say in what it sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ...layers.token_reduction import TokenReduction
from .cache import cache_of
from .frozen_layer import Frozen
from .image_runs import Runs, runs_of
from .reduced_cache import Held, ReducedEntry, entry_of, reduced
from .reduced_mask import mask_of, numbers_at, rows_at, visible


@dataclass(frozen=True)
class _Left:
    """The tokens that are left in the stream.

    Attributes:
        held: their places among the new tokens of the text, and their sizes.
        runs: of image tokens.
        counts: in each row of the batch.
    """

    held: Held
    runs: tuple[Runs, ...]
    counts: tuple[int, ...]


class Passage:
    """The state of a pass.

    Args:
        image: true at tokens of images, ``(batch, tokens)``.
        last: the decoder's last layer.
        runs: of image tokens, where they are known already: to find them waits for a GPU.

    Attributes:
        image: true at tokens of images, ``(batch, tokens)``.
    """

    def __init__(self, image: Tensor, last: nn.Module, runs: tuple[Runs, ...] | None = None) -> None:
        rows, tokens = image.shape
        known = runs_of(image) if runs is None else runs
        self.image, self._last = image, last
        self._left = _Left(Held.all_of(rows, 0, tokens, image.device), known, (tokens,) * rows)
        self._text = max(_less(self._left.counts, self._left.runs))
        self._whole: Tensor | None = None  # as long as the text, as it was when tokens went last
        self._stage = 0
        self._known: dict[tuple[int, ...], tuple[Any, ...]] = {}

    def through(
        self, layer: Any, run: Callable[..., Tensor], stream: Tensor, given: tuple[Any, ...], named: Mapping[str, Any]
    ) -> Tensor:
        """What a layer gives for the stream, ``(batch, tokens that are left, width)``; the last one: for all tokens.

        Args:
            layer: of the decoder.
            run: it.
            stream: before it, ``(batch, tokens that are left so far, width)``.
            given: further arguments by position.
            named: and by name.
        """
        if layer.reduction is not None:
            self._stage += 1
            stream = self._reduced(layer.reduction, stream)
        own = self._arguments(layer, stream, named)
        if layer.frozen and not layer.skipped and self._left.runs:
            own["frozen"] = self._frozen(layer, own)
        output = run(stream, *given, **own)
        return self._restored(output) if layer is self._last else output

    def _reduced(self, reduction: TokenReduction, stream: Tensor) -> Tensor:
        """The stream with fewer tokens. Rows that keep fewer than others are filled up on the left."""
        held, counts, runs = self._left.held, list(self._left.counts), []
        sizes, alive = held.sizes, held.sizes > 0
        shorter = stream
        for each in self._left.runs:
            fewer, tokens = each.fewer(reduction, stream, held.sizes)
            runs.append(fewer)
            if fewer.columns.shape == each.columns.shape:
                continue
            alive[each.rows, each.columns] = False
            alive[each.rows, fewer.columns] = True
            shorter = shorter.index_put((fewer.rows, fewer.columns), tokens.stream.to(stream))
            sizes = sizes.index_put((fewer.rows, fewer.columns), tokens.sizes)
            for row in each.numbers:
                counts[row] -= each.columns.shape[1] - fewer.columns.shape[1]
        if tuple(counts) == self._left.counts:
            return stream
        self._whole, longest = self._restored(stream), max(counts)
        order = alive.int().argsort(dim=1, stable=True)[:, stream.shape[1] - longest :]
        numbers = torch.arange(longest, device=order.device).expand_as(order)
        new = torch.zeros_like(held.places).scatter(1, order, numbers)
        self._left = _Left(
            replace(
                held,
                places=held.places.gather(1, order),
                sizes=(sizes * alive).gather(1, order),
                merged=held.merged or reduction.way != "prune",
                ragged=min(counts) < longest,
            ),
            tuple(replace(each, columns=new[each.rows, each.columns]) for each in runs),
            tuple(counts),
        )
        return rows_at(shorter, order)

    def _restored(self, stream: Tensor) -> Tensor:
        """As long as the text."""
        if self._whole is None:
            return stream
        return self._whole.scatter(1, self._left.held.places[..., None].expand_as(stream), stream.to(self._whole))

    def _arguments(self, layer: Any, stream: Tensor, named: Mapping[str, Any]) -> dict[str, Any]:
        """A layer's arguments, of the tokens that are left; its cache is told which those are."""
        entry = entry_of(cache_of(named), layer.layer_idx)
        if self._whole is None and not isinstance(entry, ReducedEntry):
            return dict(named)
        keys = queries = self._new(0)
        if entry is not None:
            entry = reduced(entry, len(stream), stream.device)
            queries = entry.coming = self._new(entry.held.seen)
            keys = entry.held.followed_by(queries)
        given: list[Any] = [named.get(name) for name in _BY_TOKEN]
        mask, positions, numbers = given
        case = (self._stage, id(mask), id(positions))  # layers share these; an entry's tokens are those of its stage
        if case not in self._known:
            places, fewer = self._left.held.places, self._whole is not None
            self._known[case] = (
                mask_of(mask, queries, keys, stream.dtype),
                tuple(rows_at(table, places) for table in positions) if fewer else positions,
                numbers_at(numbers, places) if fewer and numbers is not None else numbers,
            )
        return {**named, **dict(zip(_BY_TOKEN, self._known[case], strict=True))}

    def _new(self, seen: int) -> Held:
        """The tokens that are left, behind ``seen`` others."""
        held = self._left.held
        return replace(held, places=held.places + seen, seen=held.seen + seen)

    def _frozen(self, layer: Any, named: Mapping[str, Any]) -> Frozen:
        """Which tokens go through a frozen layer: those of text."""
        held, mask = self._left.held, named["attention_mask"]
        is_text = ~self.image.gather(1, held.places) & (held.sizes > 0)
        order = is_text.int().argsort(dim=1, stable=True)
        first = order.shape[1] - self._text
        resting, going = order[:, :first], order[:, first:]
        if mask is None:
            entry = entry_of(cache_of(named), layer.layer_idx)
            seen = 0 if entry is None else int(entry.get_seq_length())
            past = entry.held if isinstance(entry, ReducedEntry) else Held.all_of(len(order), 0, seen, order.device)
            mask = visible(self._new(seen), past.followed_by(self._new(seen)))
        rows = going[:, None, :, None].expand(-1, mask.shape[1], -1, mask.shape[3])
        return Frozen(going, resting, is_text.gather(1, going), mask.expand(len(going), -1, -1, -1).gather(2, rows))


#: Arguments of a layer that have something for each token.
_BY_TOKEN = ("attention_mask", "position_embeddings", "position_ids")


def _less(counts: tuple[int, ...], runs: tuple[Runs, ...]) -> list[int]:
    """Tokens in each row of the batch without those of runs."""
    left = list(counts)
    for each in runs:
        for row in each.numbers:
            left[row] -= each.columns.shape[1]
    return left


_PRESENT: ContextVar[Passage | None] = ContextVar("passage", default=None)


def present_passage() -> Passage | None:
    """That of the forward pass that runs now; ``None``: no token goes, and none passes a layer unchanged."""
    return _PRESENT.get()


def begin_passage(passage: Passage | None) -> None:
    """Let layers that run from now on be a part of it, or of none."""
    _PRESENT.set(passage)
