"""How many image tokens a share is.

Whole numbers alone are counted with, which a graph for images of any size can hold.
"""

from __future__ import annotations

import torch

#: Shares are told apart to a millionth.
_PARTS = 1_000_000


def share_of(count: int, share: float, up: float = 0.5) -> int:
    """A share of a ``count``, one at least. The last ``up`` of the way to the next whole number is rounded up."""
    found = (count * round(share * _PARTS) + int(up * _PARTS)) // _PARTS
    return torch.sym_max(1, found) if any_number(found) else max(1, found)  # type: ignore[no-untyped-call]


def any_number(count: int) -> bool:
    """Whether a number is not known, in the graph of a model for images of any size."""
    return isinstance(count, torch.SymInt)
