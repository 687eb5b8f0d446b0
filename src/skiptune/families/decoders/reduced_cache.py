"""A cache's entry of a layer that fewer image tokens reach: it holds fewer keys, and knows which tokens they are.

To the model, which makes masks and positions from it, such an entry is as long as the text. An entry becomes one in
place, by its class, when the first fewer tokens are expected; rows are selected and reordered with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from ...core.errors import InputError


@dataclass(frozen=True)
class Held:
    """The tokens that a layer's entry holds.

    Attributes:
        places: of each in the text, ``(batch, tokens)``.
        sizes: image tokens that each stands for, ``(batch, tokens)``; 0: nothing, it fills up a row.
        seen: length of the text.
        merged: whether some sizes may be above 1.
        ragged: whether some may be 0.
    """

    places: Tensor
    sizes: Tensor
    seen: int
    merged: bool = False
    ragged: bool = False

    @classmethod
    def all_of(cls, rows: int, first: int, tokens: int, device: torch.device) -> Held:
        """The tokens of texts from their place ``first`` on, each once."""
        places = torch.arange(first, first + tokens, device=device).expand(rows, -1)
        return cls(places, torch.ones_like(places, dtype=torch.float32), first + tokens)

    @property
    def alone(self) -> bool:
        """Whether every token stands for itself."""
        return not (self.merged or self.ragged)

    def followed_by(self, other: Held) -> Held:
        """These and, after them in the text, the others."""
        return Held(
            torch.cat((self.places, other.places), dim=1),
            torch.cat((self.sizes, other.sizes), dim=1),
            other.seen,
            self.merged or other.merged,
            self.ragged or other.ragged,
        )

    def last(self, tokens: int) -> Held:
        """The last ones alone."""
        begin = self.places.shape[1] - tokens
        return replace(self, places=self.places[:, begin:], sizes=self.sizes[:, begin:])

    def rows(self, rows: Tensor) -> Held:
        """Those of these rows of the batch."""
        rows = rows.to(self.places.device)
        return replace(self, places=self.places[rows], sizes=self.sizes[rows])


class ReducedEntry(DynamicLayer):
    """An entry that grows and holds fewer tokens.

    Attributes:
        held: the tokens in it.
        coming: those that the layer is about to add; ``None``: not told.
    """

    held: Held
    coming: Held | None
    plain_class: ClassVar[type[Any]] = DynamicLayer

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """As transformers' class; the new tokens were told before.

        Raises:
            InputError: they were not.
        """
        if self.coming is None:
            raise InputError(
                "past_key_values: this cache was filled while image tokens became fewer, and this model does not let "
                "them; begin with an empty cache"
            )
        keys, values = super().update(key_states, value_states, *args, **kwargs)
        entry: Any = self
        self.held = self.held.followed_by(self.coming).last(entry.keys.shape[-2])
        self.coming = None
        if hasattr(self, "cumulative_length"):
            self.cumulative_length = self.held.seen
        return keys, values

    def get_seq_length(self, *args: Any) -> int:
        """The length of the text."""
        return self.held.seen

    def reset(self) -> None:
        """Empty it; it is then an entry like any other."""
        super().reset()
        del self.held
        entry: Any = self
        entry.__class__ = self.plain_class

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """As transformers' class."""
        super().reorder_cache(beam_idx)
        self.held = self.held.rows(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        """As transformers' class."""
        super().batch_select_indices(indices)
        self.held = self.held.rows(indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """As transformers' class."""
        super().batch_repeat_interleave(repeats)
        rows = torch.arange(len(self.held.places), device=self.held.places.device)
        self.held = self.held.rows(rows.repeat_interleave(repeats))

    def crop(self, tokens_to_remove: int) -> None:
        """As transformers' class.

        Raises:
            InputError: image tokens would go, of which fewer are there.
        """
        gone, seen = abs(tokens_to_remove), self.held.seen - abs(tokens_to_remove)
        last = self.held.last(gone).places
        if not torch.equal(last, torch.arange(seen, self.held.seen, device=last.device).expand_as(last)):
            raise InputError(
                f"past_key_values: {gone} tokens back there are image tokens, of which this cache holds only some; "
                "crop it to a place behind the image"
            )
        super().crop(tokens_to_remove)
        left = self.held.places.shape[1] - gone
        self.held = replace(self.held, places=self.held.places[:, :left], sizes=self.held.sizes[:, :left], seen=seen)
        if hasattr(self, "cumulative_length"):
            self.cumulative_length = seen


class ReducedWindow(ReducedEntry, DynamicSlidingWindowLayer):
    """An entry with the tokens of a sliding window."""

    plain_class = DynamicSlidingWindowLayer


_REDUCED: dict[type[Any], type[Any]] = {kind.plain_class: kind for kind in (ReducedEntry, ReducedWindow)}


def entry_of(cache: Any, layer: int) -> Any:
    """A layer's entry in a cache, which may grow by it; ``None``: there is no cache.

    Args:
        cache: of transformers, or ``None``.
        layer: the number of the layer's entry.
    """
    if cache is None:
        return None
    while len(cache.layers) <= layer:
        cache.layers.append(cache.layer_class_to_replicate())
    return cache.layers[layer]


def reduced(entry: Any, rows: int, device: torch.device) -> ReducedEntry:
    """The entry, which from now on may hold fewer tokens than the text has. In place.

    Args:
        entry: of a cache that grows.
        rows: of the batch.
        device: where the tokens are.

    Raises:
        InputError: it is of a cache that does not grow.
    """
    if isinstance(entry, ReducedEntry):
        return entry
    kind = _REDUCED.get(type(entry))
    if kind is None:
        raise InputError(
            f"past_key_values: {type(entry).__name__}: where image tokens become fewer, a cache must grow; use "
            "transformers' DynamicCache (cache_implementation: 'dynamic')"
        )
    seen = int(entry.get_seq_length())
    held = Held.all_of(rows, 0, seen, device)
    entry.__class__ = kind
    entry.held, entry.coming = held.last(entry.keys.shape[-2]) if seen else held, None
    found: ReducedEntry = entry
    return found
