"""Blocks that a search must keep: those of the family, and those that the user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from ..config import SearchConfig
from ..core.errors import InputError
from ..core.validation import Problems, nearest
from ..families.registry import family_of
from ..inserting.selection import blocks_of


def protected_blocks(model: nn.Module, config: SearchConfig) -> dict[str, str]:
    """Block name → why it is kept, in model order.

    Raises:
        InputError: ``keep`` names no block of the model, or all blocks are protected.
    """
    names, problems = tuple(blocks_of(model)), Problems("search.keep")
    for name in config.keep:
        problems.check(bool(_meant(name, names)), f"{name!r}: no such block{nearest(name, names)}")
    problems.raise_any()
    reasons: Mapping[str, str] = family_of(model).protected(model.config)
    wanted = {**dict.fromkeys(config.keep, "search.keep names it"), **reasons}
    found = {name: why for given, why in wanted.items() for name in _meant(given, names)}
    return {name: found[name] for name in names if name in found}


def _meant(name: str, blocks: Sequence[str]) -> list[str]:
    """The blocks that a name stands for: one, or the halves of a layer."""
    return [block for block in blocks if block == name or block.startswith(f"{name}.")]


def refuse_unmet(budget: str, blocks: int, reached: str, protected: Mapping[str, str]) -> InputError:
    """The error for a budget that cannot be met, with the blocks that stand in its way.

    Args:
        budget: field and value, e.g. ``macs: -0.9``.
        blocks: how many there are.
        reached: what skipping as much as possible gives.
        protected: blocks that must be kept, and why.
    """
    if not protected:
        return InputError(f"{budget} cannot be met; skipping {blocks - 1} of {blocks} blocks gives {reached}")
    reasons = "; ".join(f"{', '.join(names)}: {why}" for why, names in _by_reason(protected).items())
    left = blocks - len(protected)
    return InputError(
        f"{budget} cannot be met without blocks that must be kept ({reasons}); skipping all other {left} of {blocks} "
        f"blocks gives {reached}"
    )


def _by_reason(protected: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, why in protected.items():
        found.setdefault(why, []).append(name)
    return found
