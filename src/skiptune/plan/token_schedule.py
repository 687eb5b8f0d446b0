"""A token schedule: at which blocks how many image tokens go on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from ..config.way import Way
from ..core.errors import InputError
from ..core.formatting import counted
from ..core.validated import Names, Validated
from ..core.validation import Problems, nearest

Share = Annotated[float, Field(gt=0, lt=1)]


class TokenSchedule(Validated):
    """Where image tokens become fewer.

    Attributes:
        keep: names of blocks, in running order → the share of the model's image tokens that goes on from before that
            block; smaller from block to block.
        way: ``merge``: tokens that are alike become one; ``prune``: those that get least attention from the text (from
            the class token, in a stream without text) are left out; ``both``: half of what goes is left out first, the
            rest is merged; ``pool``: neighbours in the image become one, and the share is rounded to whole rows and
            columns. Of a schedule without ``keep`` always ``merge``.
        frozen: names of layers of a decoder that image tokens pass unchanged, while text goes through them.
    """

    keep: dict[str, Share] = Field(default={})
    way: Way = "merge"
    frozen: Names = ()

    @field_validator("keep", mode="before")
    @classmethod
    def _numbers_are_names(cls, keep: object) -> object:
        """``keep: {3: 0.5}``, as YAML reads names that are numbers."""
        if not isinstance(keep, dict):
            return keep
        named = {str(name) if type(name) is int else name: share for name, share in keep.items()}
        if len(named) < len(keep):
            raise ValueError(f"{', '.join(map(str, keep))}: a block is named twice")
        return named

    @field_validator("way")
    @classmethod
    def _none_without_places(cls, way: Way, info: ValidationInfo) -> Way:
        """Where tokens nowhere become fewer the way says nothing; equal schedules are written alike."""
        return way if info.data.get("keep") else "merge"

    def check(self, problems: Problems) -> None:
        problems.check(bool(self.keep or self.frozen), "keep: no block is named; a model without a schedule has None")
        shares = list(self.keep.values())
        falling = all(later < before for before, later in pairwise(shares))
        problems.check(falling, f"keep: {self.keep}: shares must become smaller from block to block")
        once = len(set(self.frozen)) == len(self.frozen)
        problems.check(once, f"frozen: {', '.join(self.frozen)}: a layer is named twice")

    def __str__(self) -> str:
        kept = [f"{share:.0%} from {name} on" for name, share in self.keep.items()]
        frozen = [f"unchanged through {', '.join(self.frozen)}"] if self.frozen else []
        return f"{self.way}: {', '.join([*kept, *frozen])}" if kept else ", ".join(frozen)

    @property
    def brief(self) -> str:
        """``50% of the image tokens left, unchanged through 3 layers``."""
        left = [f"{self.left:.0%} of the image tokens left"] if self.keep else []
        through = f"unchanged through {counted(len(self.frozen), 'layers')}"
        frozen = [through if left else f"image tokens {through}"] if self.frozen else []
        return ", ".join([*left, *frozen])

    @property
    def left(self) -> float:
        """The share of the image tokens that goes on in the end."""
        return min(self.keep.values(), default=1.0)

    def in_order_of(self, blocks: Sequence[str]) -> TokenSchedule:
        """With the frozen layers in the order of the model's ``blocks``; unknown ones come last."""
        known = [name for name in blocks if name in self.frozen]
        order = (*known, *(name for name in self.frozen if name not in known))
        return self if order == self.frozen else self.replace(frozen=order)

    def check_places(self, places: Sequence[str], freezable: Sequence[str] = (), why: str = "") -> None:
        """Refuse blocks before which image tokens cannot become fewer, and an order that is not theirs.

        Args:
            places: names of the blocks before which they can, in running order.
            freezable: names of the layers that they can pass unchanged.
            why: why they cannot before other blocks; empty: there is nothing to say.

        Raises:
            InputError: all problems in one message.
        """
        problems = Problems("the token schedule is not valid")
        told = f" ({why})" if why else ""
        if self.keep and not places:
            problems.add(f"keep: image tokens of this model cannot become fewer{told}; leave keep out")
        if self.frozen and not freezable:
            problems.add("frozen: image tokens of this model cannot pass layers unchanged; leave frozen out")
        for name in self.keep if places else ():
            problems.check(
                name in places, f"keep: {name!r}: no such place for image tokens{told}{nearest(name, places)}"
            )
        for name in self.frozen if freezable else ():
            problems.check(name in freezable, f"frozen: {name!r}: no such layer{nearest(name, freezable)}")
        problems.raise_any()
        if list(self.keep) != [name for name in places if name in self.keep]:
            raise InputError(f"keep: {', '.join(self.keep)}: name the blocks in running order")
