"""A skip adapter that costs nothing: a linear map that a kept block's own linear layers take up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor, nn

from .adapters import PAPER_STD, Init

if TYPE_CHECKING:
    from .blocks import SkippableBlock

#: ``W_up``, ``(width, rank)``, and ``W_down``, ``(rank, width)``, of an adapter.
UpAndDown: TypeAlias = tuple[Tensor, Tensor]


class FoldedAdapter(nn.Module):
    """``A(x) = W_up · W_down · x``, linear, without LayerNorm and biases. Takes and returns ``(..., width)``.

    The skipped block it belongs to passes its stream through. A kept neighbour adds ``A`` where its linear layers can
    take it up, see :class:`~skiptune.families.block_kind.Folding`. With ``M = 1 + W_up · W_down``, on the ``output``
    side the last layer of its feed-forward network becomes ``W ← M · W`` (and its bias), on the ``input`` side the
    first layers of its attention become ``W ← W · M``. Adapters of several skipped blocks in a row are applied in
    their order. On the residual stream itself it could not be taken up: a norm stands before every linear layer.

    Not of the paper, whose adapters are not linear. ``init="zero"`` starts ``W_up`` at zero, as LoRA does;
    ``init="paper"`` draws both from N(0, 0.02).
    """

    def __init__(self, width: int, rank: int, init: Init = "zero") -> None:
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=False)
        self.reset_parameters(init)

    def reset_parameters(self, init: Init) -> None:
        """Start over as ``init`` says, drawing from torch's global generator."""
        if init == "paper":
            nn.init.normal_(self.down.weight, std=PAPER_STD)
            nn.init.normal_(self.up.weight, std=PAPER_STD)
        else:
            nn.init.kaiming_uniform_(self.down.weight, a=5**0.5)
            nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.up(self.down(x))
        return result


def before(weight: Tensor, adapters: Iterable[UpAndDown]) -> Tensor:
    """``M_n ⋯ M_1 · W`` for the adapters in their order: what maps the layer's output. In float64, on the CPU.

    Args:
        weight: ``(width, inputs)``, or a bias, ``(width,)``.
        adapters: ``W_up`` and ``W_down`` of each.
    """
    found = weight.cpu().double()
    for up, down in adapters:
        found = found + up.cpu().double() @ (down.cpu().double() @ found)
    return found


def after(weight: Tensor, adapters: Sequence[UpAndDown]) -> Tensor:
    """``W · M_n ⋯ M_1``, ``(outputs, width)``: what reads the mapped stream. As :func:`before`."""
    found = weight.cpu().double()
    for up, down in reversed(adapters):
        found = found + (found @ up.cpu().double()) @ down.cpu().double()
    return found


class ApplyFolded:
    """A forward hook that applies a block's folded adapters to the output of one of its modules, ``(…, width)``."""

    def __init__(self, block: SkippableBlock) -> None:
        self.block = block

    def __call__(self, module: nn.Module, given: Any, output: Tensor) -> Tensor:
        for adapter in self.block.folded:
            place = adapter.down.weight.device  # a large model may be spread over several
            output = output + adapter(output.to(place)).to(output.device)
        return output
