"""Modules that are added to a block: the paper's bottleneck adapter, and those of other methods: scaled parallel
adapters and prompts."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Init = Literal["zero", "paper"]
_LAYER_NORM_EPS = 1e-5
PAPER_STD = 0.02


class BottleneckAdapter(nn.Module):
    """``A(x) = W_up · ReLU(W_down · LayerNorm(x))`` with biases, no dropout and no scale (paper, section 3.2).

    Takes and returns ``(..., width)``. The caller adds the result to its residual stream.

    Departure from the paper: with ``init="zero"`` the up-projection starts at zero, so that adding the adapter to a
    pre-trained model changes none of its outputs. ``init="paper"`` draws both projections from N(0, 0.02) with zero
    biases, as the released code does; the adapted model then no longer starts as the pre-trained one.
    """

    def __init__(self, width: int, bottleneck: int, init: Init = "zero") -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(width, eps=_LAYER_NORM_EPS)
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        self.reset_parameters(init)

    def reset_parameters(self, init: Init) -> None:
        """Start over as ``init`` says, drawing from torch's global generator."""
        self.layer_norm.reset_parameters()
        nn.init.normal_(self.down.weight, std=PAPER_STD)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.bias)
        if init == "paper":
            nn.init.normal_(self.up.weight, std=PAPER_STD)
        else:
            nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        narrow = nn.functional.relu(self.down(self.layer_norm(x)))
        result: Tensor = self.up(narrow)
        return result

    def added_to(self, y: Tensor, x: Tensor) -> Tensor:
        """``y + A(x)``."""
        result: Tensor = y + self(x)
        return result


class ParallelAdapter(nn.Module):
    """``s · W_up · ReLU(W_down · x)`` with biases, parallel to the feed-forward network and with the same input (He et
    al., "Towards a Unified View of Parameter-Efficient Transfer Learning", 2022; s = 4 there).

    Takes and returns ``(..., width)``. Starts as LoRA does, with W_up at zero: inserting it changes no output.
    """

    def __init__(self, width: int, bottleneck: int, scale: float = 4.0) -> None:
        super().__init__()
        self.scale = scale
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        nn.init.kaiming_uniform_(self.down.weight, a=5**0.5)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.scale * self.up(nn.functional.relu(self.down(x)))
        return result


class Prompts(nn.Module):
    """Learnt tokens that a stream attends to like its own (Jia et al., "Visual Prompt Tuning", 2022).

    They are appended to the stream's tokens, so that heads still find the first token first. Attention does not depend
    on the order.
    """

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.empty(length, width))
        nn.init.normal_(self.tokens, std=PAPER_STD)

    def behind(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """``x`` ``(batch, tokens, width)`` with the prompts appended, and its mask extended to cover them.

        ``mask``: for attention, ``(batch, 1, 1 or tokens, tokens)``, booleans or numbers to add; ``None``: no padding.
        """
        longer = torch.cat((x, self.tokens.expand(len(x), -1, -1)), dim=1)
        if mask is None:
            return longer, None
        mask = mask[..., :1, :]  # all rows are alike
        seen = (mask.new_ones if mask.dtype == torch.bool else mask.new_zeros)((*mask.shape[:-1], len(self.tokens)))
        return longer, torch.cat((mask, seen), dim=-1)
