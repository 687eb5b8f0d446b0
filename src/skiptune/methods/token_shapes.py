"""Where the token reductions of papers take image tokens away, and in what proportion; one number says how many go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn

from ..config.way import Way
from ..families.family import Family
from ..inserting.selection import token_places
from ..plan import TokenSchedule
from ..plan.block_names import stack_of

#: The stack of image encoders below a fusion.
_ENCODER = "clip"
#: Layers of a decoder that all image tokens go through.
_FASTV = 2


class TokenShape(ABC):
    """A family of token schedules of one form.

    Attributes:
        way: how tokens become fewer, see :class:`skiptune.TokenSchedule`.
    """

    way: ClassVar[Way]

    def refusal(self, family: Family) -> str | None:
        """Why it is not for models of ``family``; ``None``: it is."""
        return None

    def unusable(self, places: tuple[str, ...]) -> str | None:
        """As :meth:`refusal`, of a model with these :func:`.token_places`."""
        return None

    def schedule(self, model: nn.Module, strength: float) -> TokenSchedule:
        """The schedule in which more tokens go the higher ``strength`` is, in (0, 1)."""
        return TokenSchedule(keep=self.shares(token_places(model), strength), way=self.way)

    @abstractmethod
    def shares(self, places: tuple[str, ...], strength: float) -> dict[str, float]:
        """Of the blocks before which tokens go, in running order, the share of the model's tokens that goes on."""


class ToMe(TokenShape):
    """As many tokens are merged at every block (Bolya et al., "Token Merging: Your ViT But Faster", ICLR 2023), at most
    half of those that are there.

    Departures: they are merged before a block instead of between its attention and its feed-forward network, and
    compared by the keys of that block. Text tokens stay.
    """

    way = "merge"

    def refusal(self, family: Family) -> str | None:
        return "ToMe is for encoders" if family.generates else None

    def shares(self, places: tuple[str, ...], strength: float) -> dict[str, float]:
        found, left = dict[str, float](), 1.0
        for place in places[1:]:  # all of them enter the first block
            left = max(left - strength, left / 2)
            found[place] = left
        return found


class PuMer(TokenShape):
    """Image tokens that the text attends to least are left out and others are merged, each time by the same factor (Cao
    et al., "PuMer: Pruning and Merging Tokens for Efficient Vision Language Models", ACL 2023): of ViLT's blocks after
    a quarter, half and three quarters; in METER's fusion after its first, third and fifth.

    Departures: tokens go before the next block instead of within one; as many are left out as are merged, where the
    paper leaves out 0.1 and merges 0.3 of the tokens at every place (0.2 and 0.2 in METER); text tokens, 0.2 of which
    the paper merges, stay; no teacher, whose distillation the paper adds to the loss.
    """

    way = "both"

    def refusal(self, family: Family) -> str | None:
        return "PuMer is for encoders that read text and image together" if family.generates else None

    def unusable(self, places: tuple[str, ...]) -> str | None:
        alone = stack_of(places[-1]) == _ENCODER
        return "PuMer takes tokens away where they meet the text, and there this model keeps them" if alone else None

    def shares(self, places: tuple[str, ...], strength: float) -> dict[str, float]:
        fusion = [place for place in places if stack_of(place) == stack_of(places[-1])]
        quarters = [fusion[len(fusion) * quarter // 4] for quarter in (1, 2, 3)]
        at = dict.fromkeys(fusion[1::2] if stack_of(places[-1]) else quarters)
        return {place: (1 - strength) ** (number + 1) for number, place in enumerate(at)}


class FastV(TokenShape):
    """Image tokens go once, before the decoder's third layer (Chen et al., "An Image is Worth 1/2 Tokens After Layer
    2", ECCV 2024: after the second layer half of them).

    Departures: how many go follows from the budget; they are rated by the attention that they get from each other, not
    from all tokens or the last one, because cached generation must be uncached generation.
    """

    way = "prune"

    def refusal(self, family: Family) -> str | None:
        return None if family.generates else "FastV is for models that write"

    def unusable(self, places: tuple[str, ...]) -> str | None:
        return None if len(places) > _FASTV else f"FastV needs more than {_FASTV} layers"

    def shares(self, places: tuple[str, ...], strength: float) -> dict[str, float]:
        return {places[_FASTV]: 1 - strength}


class VisionZip(TokenShape):
    """Image tokens go before the language model: those that matter least are left out, others are merged (after Yang et
    al., "VisionZip: Longer is Better but Not Necessary in Vision Language Models", CVPR 2025).

    Departures: they are rated by the attention among them in the decoder's first layer, not by that of the vision
    tower's class token, which many towers lack; as many are left out as are merged into those that stay, where the
    paper merges all that are not dominant into a few further ones.
    """

    way = "both"

    def refusal(self, family: Family) -> str | None:
        return None if family.generates else "VisionZip is for models that write"

    def shares(self, places: tuple[str, ...], strength: float) -> dict[str, float]:
        return {places[0]: 1 - strength}
