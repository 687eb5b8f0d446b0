"""Where each image token of a model goes: which are left out, and which become one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..inserting.selection import blocks_of
from ..layers.token_reduction import Reader, TokenReduction, Tokens


@contextmanager
def traced_patches(model: nn.Module) -> Iterator[Mapping[str, Tensor]]:
    """Context in which a forward pass tells what becomes of the image tokens.

    Yields:
        By name of the block before which they become fewer: which tokens of the model's input each of those that go on
        stands for, ``(batch, image tokens, image tokens at the input)``, true or false. One that stands for several is
        their mean; one that nobody stands for was left out. Filled by the pass.
    """
    found: dict[str, Tensor] = {}
    before = {name: block.reduction for name, block in blocks_of(model).items()}
    try:
        for name, block in blocks_of(model).items():
            reduction = before[name]
            block.reduction = None if reduction is None else _Traced(**vars(reduction), name=name, found=found)
        yield found
    finally:
        for name, block in blocks_of(model).items():
            block.reduction = before[name]


@dataclass(frozen=True)
class _Traced(TokenReduction):
    """A reduction that is done with a unit vector behind every token, which is merged as the token is."""

    name: str = ""
    found: dict[str, Tensor] | None = None

    def __call__(self, tokens: Tokens) -> Tokens:
        width, first, found = tokens.stream.shape[2], tokens.first, self.found or {}
        own = nn.functional.one_hot(tokens.places, tokens.whole)
        last = next(reversed(found.values()), None)
        if last is not None and last.shape == own.shape:  # what was merged before stays together
            own = last
        own = own.to(tokens.stream)
        units = torch.cat((own.new_zeros(len(own), first, tokens.whole), own), dim=1)
        wide = tokens._replace(stream=torch.cat((tokens.stream, units), dim=2))
        narrow = TokenReduction(self.keep, self.way, lambda: _narrow(self.reader and self.reader(), width), self.before)
        told = narrow(wide)
        if self.found is not None:
            self.found[self.name] = told.stream[:, first:, width:] > 0
        return told._replace(stream=told.stream[..., :width])


def _narrow(reader: Reader | None, width: int) -> Reader:
    """A reader of the first ``width`` numbers of every token."""
    if reader is None:
        return Reader(_First(width, None), _itself, _itself, width)
    return reader._replace(norm=_First(width, reader.norm))


def _itself(stream: Tensor) -> Tensor:
    return stream


class _First(nn.Module):
    """The first numbers of every token, normed if they are."""

    def __init__(self, width: int, norm: nn.Module | None) -> None:
        super().__init__()
        self.width, self.norm = width, norm

    def forward(self, stream: Tensor) -> Tensor:
        own = stream[..., : self.width]
        return own if self.norm is None else self.norm(own)
