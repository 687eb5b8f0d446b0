"""A copy of a model that shares its memory."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

from torch import nn


def shared_copy(model: nn.Module) -> nn.Module:
    """A copy with modules of its own whose parameters share memory: it costs nothing, and its structure can be
    changed."""
    memo: dict[int, Any] = {}
    for tensor in chain(model.parameters(), model.buffers()):
        own = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(tensor.detach(), tensor.requires_grad) if own else tensor
    return copy.deepcopy(model, memo)
