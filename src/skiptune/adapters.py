"""The bottleneck adapter of the paper, used beside the sub-layers of a kept block and in place of a skipped one."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Init = Literal["zero", "paper"]
_LAYER_NORM_EPS = 1e-5
_PAPER_STD = 0.02


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
        nn.init.normal_(self.down.weight, std=_PAPER_STD)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.bias)
        if init == "paper":
            nn.init.normal_(self.up.weight, std=_PAPER_STD)
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
