"""Fewer image tokens: merge those that are alike, leave out those that little attention goes to, both, or pool.

A stream ``(batch, tokens, width)`` has its image tokens at the end. How many go on is fixed by the shape of the input,
so that batches, exports and compiled models keep static shapes. Every token has a *size*, the number of image tokens it
stands for: 1 at first, 0 for padding. Attention to a token grows with its size (Bolya et al., ToMe, equation 1), so a
token that is a mean of three counts three times, and padding not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config.way import Way
from .token_counts import any_number, share_of
from .token_pooling import Grid, pooled


class Tokens(NamedTuple):
    """A stream of tokens on its way through blocks.

    Attributes:
        stream: ``(batch, tokens, width)``; image tokens are the last ones.
        sizes: image tokens that each stands for, ``(batch, tokens)``, 0 for padding; text tokens have 1.
        first: number of tokens before the image tokens, which stay: text and class tokens.
        whole: image tokens at the model's input, of which shares are taken.
        places: of each image token, its number among those at the model's input, ``(batch, image tokens)``; of merged
            ones, that of the token which the others were merged into.
        alone: whether it is known that every token stands for itself, without padding: attention needs no mask.
        columns: of the image's grid of tokens at the model's input; ``None``: not known, see :meth:`.Grid.of`.
    """

    stream: Tensor
    sizes: Tensor
    first: int
    whole: int
    places: Tensor
    alone: bool = False
    columns: int | None = None

    @classmethod
    def of(cls, stream: Tensor, real: Tensor | None, first: int, columns: int | None = None) -> Tokens:
        """Tokens that have not become fewer yet. ``real``: true where they are no padding, ``(batch, tokens)``."""
        ones = stream.new_ones(stream.shape[:2], dtype=torch.float32)
        sizes = ones if real is None else real.float().expand_as(ones)
        whole = stream.shape[1] - first
        batch = stream.shape[0]  # len() is a constant in an export
        places = torch.arange(whole, device=stream.device).expand(batch, -1)
        return cls(stream, sizes, first, whole, places, real is None, columns)

    @property
    def mask(self) -> Tensor | None:
        """What attention to the tokens gets added to its scores, ``(batch, 1, 1, tokens)``: the logarithm of sizes;
        ``None``: nothing."""
        if self.alone:
            return None
        lowest = torch.finfo(self.stream.dtype).min
        return self.sizes.log().clamp(min=lowest).to(self.stream.dtype)[:, None, None]


class Reader(NamedTuple):
    """The layers by which a block's self-attention reads its stream.

    Attributes:
        norm: the LayerNorm before it; ``None``: there is none.
        query, key: linear maps of ``(batch, tokens, width)``.
        head_width: width of one head of both.
    """

    norm: nn.Module | None
    query: Callable[[Tensor], Tensor]
    key: Callable[[Tensor], Tensor]
    head_width: int

    def keys(self, stream: Tensor) -> Tensor:
        """``(batch, heads, tokens, head width)``."""
        return self._heads(self.key, stream)

    def queries(self, stream: Tensor) -> Tensor:
        """As :meth:`keys`."""
        return self._heads(self.query, stream)

    def _heads(self, project: Callable[[Tensor], Tensor], stream: Tensor) -> Tensor:
        normed = stream if self.norm is None else self.norm(stream)
        batch, tokens, _ = stream.shape
        return project(normed).view(batch, tokens, -1, self.head_width).transpose(1, 2)


@dataclass(frozen=True)
class TokenReduction:
    """What happens to the image tokens before a block.

    Attributes:
        keep: share of the model's image tokens that go on.
        way: how they become so few.
        reader: gives that of the next block that runs, by whose keys tokens are compared and whose attention tells
            which matter; where there is none, the stream itself is compared.
        before: the share that comes here.
    """

    keep: float
    way: Way
    reader: Callable[[], Reader | None] | None
    before: float = 1.0

    def __call__(self, tokens: Tokens) -> Tokens:
        """The stream with ``keep`` of its image tokens; as it is, if there are no more."""
        if self.way == "pool":
            return self._pooled(tokens)
        wanted, present = share_of(tokens.whole, self.keep), tokens.stream.shape[1] - tokens.first
        if not any_number(present) and wanted >= present:
            return tokens
        if self.way == "both":
            tokens = self._pruned(tokens, (wanted + present) // 2)
        return self._pruned(tokens, wanted) if self.way == "prune" else self._merged(tokens, wanted)

    def _pooled(self, tokens: Tokens) -> Tokens:
        whole = Grid.of(tokens.whole, tokens.columns)
        now, then = whole if self.before == 1 else whole.share(self.before), whole.share(self.keep)
        if now == then:
            return tokens
        return _replaced(tokens, *pooled(*_image(tokens), now, then))._replace(alone=False)

    def _pruned(self, tokens: Tokens, wanted: int) -> Tokens:
        scores = self._attention(tokens).masked_fill(tokens.sizes[:, tokens.first :] == 0, -1.0)
        # of padding, whose scores are equal, the first stays, here and in ONNX: what is merged depends on the places
        order = scores.argsort(dim=1, descending=True, stable=True)
        kept = _split(order, wanted)[0].sort(dim=1).values
        return _replaced(tokens, *_taken(tokens, kept), kept)

    def _merged(self, tokens: Tokens, wanted: int) -> Tokens:
        present = tokens.stream.shape[1] - tokens.first
        if any_number(present):  # the steps of a graph for images of any size are the same for all of them
            for left in reversed(range(matchings(self.before, self.keep, self.way))):
                present = tokens.stream.shape[1] - tokens.first
                number = present - wanted
                tokens = self._matched(tokens, torch.sym_min(number, present // 2) if left else number)  # type: ignore[no-untyped-call]
            return tokens
        while (present := tokens.stream.shape[1] - tokens.first) > wanted:
            tokens = self._matched(tokens, min(present - wanted, present // 2))
        return tokens

    def _matched(self, tokens: Tokens, number: int) -> Tokens:
        """After one matching, which merges half of them at most."""
        return _replaced(tokens, *merged(*_image(tokens), self._metric(tokens), number))._replace(alone=False)

    def _metric(self, tokens: Tokens) -> Tensor:
        image, reader = tokens.stream[:, tokens.first :], self._read()
        return image if reader is None else reader.keys(image).mean(1)

    def _read(self) -> Reader | None:
        return None if self.reader is None else self.reader()

    def _attention(self, tokens: Tokens) -> Tensor:
        """The mean attention that image tokens get from those before them, over heads, ``(batch, image tokens)``; from
        each other, if there are none before them."""
        image, sizes = _image(tokens)
        askers = slice(tokens.first) if tokens.first else slice(None)
        asking, reader = tokens.stream[:, askers], self._read()
        if reader is None:
            queries, keys = asking[:, None], image[:, None]
        else:
            queries, keys = reader.queries(asking), reader.keys(image)
            keys = keys.repeat_interleave(queries.shape[1] // keys.shape[1], dim=1)  # heads that share keys
        scores = queries @ keys.transpose(-1, -2) * keys.shape[-1] ** -0.5
        lowest = torch.finfo(scores.dtype).min
        weights = (scores + sizes.log().clamp(min=lowest)[:, None, None].to(scores)).softmax(-1).mean(1)
        voices = tokens.sizes[:, askers, None].clamp(max=1).to(weights)
        found: Tensor = (weights * voices).sum(1) / voices.sum(1)
        return found


def tokens_left(share: float, way: Way, whole: int, columns: int | None = None) -> int:
    """How many image tokens a reduction to a share leaves of an image with ``whole``, in rows of ``columns``."""
    return Grid.of(whole, columns).share(share).tokens if way == "pool" else share_of(whole, share)


def matchings(before: float, keep: float, way: Way) -> int:
    """How many matchings make a share of the image tokens another share, of images of 16 to 1000 tokens."""
    most = 0
    for whole in range(16, 1001):
        present, wanted, number = share_of(whole, before), share_of(whole, keep), 0
        present = (present + wanted) // 2 if way == "both" else present
        while present > wanted:
            present, number = present - min(present - wanted, present // 2), number + 1
        most = max(most, number)
    return most


def merged(image: Tensor, sizes: Tensor, metric: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Merge ``number`` image tokens into others that are most like them (Bolya et al., ToMe, section 3.2).

    Half of the tokens, every second one and padding before all, may be merged into the others: those whose nearest is
    nearest go. A token and those merged into it become their mean, weighted by size; padding has size 0 and changes
    nothing.

    Args:
        image: ``(batch, tokens, width)``.
        sizes: theirs, ``(batch, tokens)``.
        metric: what they are compared by, ``(batch, tokens, any width)``, by the angle between them.
        number: at most half of the tokens.

    Returns:
        The tokens in their order, ``(batch, tokens − number, width)``, their sizes, and which of ``image`` they are.
    """
    metric = nn.functional.normalize(metric.detach().float(), dim=-1)
    padding, places = sizes == 0, torch.arange(image.shape[1], device=image.device)
    order = (2 * padding + places % 2).argsort(dim=1, descending=True, stable=True)
    movable, fixed = (half.sort(dim=1).values for half in _split(order, order.shape[1] // 2))
    alike = _rows(metric, movable) @ _rows(metric, fixed).transpose(1, 2)
    alike = alike.masked_fill(padding.gather(1, fixed)[:, None], -2.0)
    alike = alike.masked_fill(padding.gather(1, movable)[..., None], 2.0)
    nearness, nearest = alike.max(-1)
    first, last = _split(nearness.argsort(dim=1, descending=True, stable=True), number)
    into = nearest.gather(1, first)
    going, staying = movable.gather(1, first), movable.gather(1, last)
    before = sizes.gather(1, fixed)
    larger = before.scatter_add(1, into, sizes.gather(1, going))
    weighed = image * sizes[..., None]  # in float32: a sum of many tokens can be too large for float16
    joined = _rows(weighed, fixed).scatter_add(1, _wide(into, image), _rows(weighed, going))
    # a token that nothing was merged into stays as it is, to the last bit
    same = (larger == before)[..., None]
    joined = torch.where(same, _rows(image, fixed), (joined / larger.clamp(min=1)[..., None]).to(image))
    left, back = torch.cat((fixed, staying), dim=1).sort(dim=1)
    together = torch.cat((joined, _rows(image, staying)), dim=1)
    return _rows(together, back), torch.cat((larger, sizes.gather(1, staying)), dim=1).gather(1, back), left


def _split(order: Tensor, number: int) -> tuple[Tensor, ...]:
    """The first ``number`` of ``order`` (batch, all) and the others. A slice may end behind the last one, for all that
    a graph for images of any size knows."""
    return torch.split_with_sizes(order, [number, order.shape[1] - number], dim=1)


def _wide(places: Tensor, image: Tensor) -> Tensor:
    return places[..., None].expand(-1, -1, image.shape[-1])


def _rows(image: Tensor, places: Tensor) -> Tensor:
    """The tokens at these places, ``(batch, places, width)``."""
    return image.gather(1, _wide(places, image))


def _image(tokens: Tokens) -> tuple[Tensor, Tensor]:
    return tokens.stream[:, tokens.first :], tokens.sizes[:, tokens.first :]


def _taken(tokens: Tokens, kept: Tensor) -> tuple[Tensor, Tensor]:
    image, sizes = _image(tokens)
    return _rows(image, kept), sizes.gather(1, kept)


def _replaced(tokens: Tokens, image: Tensor, sizes: Tensor, left: Tensor) -> Tokens:
    """With other image tokens; ``left``: which of those so far they are, ``(batch, other image tokens)``."""
    return tokens._replace(
        stream=torch.cat((tokens.stream[:, : tokens.first], image), dim=1),
        sizes=torch.cat((tokens.sizes[:, : tokens.first], sizes), dim=1),
        places=tokens.places.gather(1, left),
    )
