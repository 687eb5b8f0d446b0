"""New weights from a generator of their own: what else draws random numbers neither changes them nor notices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """While this lasts, torch draws on the CPU from ``seed``; afterwards from where it was before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
