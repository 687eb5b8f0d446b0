"""The adapters of the released decoders (LaVIN-DAS, LLaVA-DAS): they read a sub-layer's normed input ``z`` and have no
LayerNorm of their own.

In a kept layer a sub-layer reads ``z + A(z)`` instead of ``z``. A skipped layer is ``x + A(z)``, with the norm that
stands before the layer's attention.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from .adapters import Init

_EXPERTS = 2
_DROPOUT = 0.1


class InputAdapter(nn.Module):
    """An adapter on a sub-layer's normed input. It takes and returns ``(batch, tokens, width)``.

    Attributes:
        sublayers: how many sub-layers of a kept layer have one, attention first, then the feed-forward network.
        routed: whether it mixes experts by a sequence's first token.
    """

    sublayers: ClassVar[int] = 1
    routed: ClassVar[bool] = False

    def mixture(self, first: Tensor) -> Tensor:
        """The experts' weights, ``(batch, experts)``, from each sequence's first token, ``(batch, width)``."""
        raise NotImplementedError

    def forward(self, z: Tensor, mixture: Tensor | None = None) -> Tensor:
        """``A(z)``; ``mixture``: of the sequences that ``z`` continues, ``None``: where they begin, or no experts."""
        raise NotImplementedError

    def in_place_of_layer(self, z: Tensor, mixture: Tensor | None = None) -> Tensor:
        """What a skipped layer adds to its residual stream: ``A(z)``."""
        result: Tensor = self(z, mixture)
        return result


class LavinAdapter(InputAdapter):
    """``A(z) = s · (W_up · ReLU(W_down · z + b_down) + b_up)``, before attention: LaVIN's for texts.

    Starts as released, with W_up at zero: inserting it changes no output, and a skipped layer passes its stream on.
    """

    draws_up: ClassVar[bool] = False

    def __init__(self, width: int, bottleneck: int, init: Init = "zero", scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.down = nn.Linear(width, bottleneck)
        self.up = nn.Linear(bottleneck, width)
        nn.init.xavier_uniform_(self.down.weight)
        nn.init.xavier_uniform_(self.up.weight)
        if init == "zero" or not self.draws_up:
            nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.bias)

    def forward(self, z: Tensor, mixture: Tensor | None = None) -> Tensor:
        result: Tensor = self.scale * self.up(nn.functional.relu(self.down(z)))
        return result


class LlavaAdapter(LavinAdapter):
    """``A(z) = W_up · ReLU(W_down · z + b_down) + b_up``, before attention and before the feed-forward network:
    LLaVA-DAS.

    It keeps its residual connection where it stands in for a layer, which is then ``x + z + A(z)``. As released
    (``init="paper"``) W_up is drawn too, so that inserting it changes outputs.
    """

    sublayers = 2
    draws_up = True

    def in_place_of_layer(self, z: Tensor, mixture: Tensor | None = None) -> Tensor:
        """``z + A(z)``."""
        result: Tensor = z + self(z, mixture)
        return result


class LavinRouter(InputAdapter):
    """``A(z) = s · (w_0 · W_0 h + w_1 · W_1 h)``, ``h = W_down · z``, before attention: LaVIN's for images and texts.

    Two experts, each a 1×1 convolution in two groups, with biases and a dropout of ``h`` (0.1). Their weights ``w =
    softmax(W_e · z_first / t)`` are decided by a sequence's first token, one pair for the whole sequence. Starts as
    :class:`LavinAdapter` does.

    Raises:
        InputError: ``width`` or ``bottleneck`` is odd and does not fall into two groups.
    """

    routed = True

    def __init__(self, width: int, bottleneck: int, scale: float = 1.0, temperature: float = 10.0) -> None:
        super().__init__()
        if width % 2 or bottleneck % 2:
            raise InputError(
                f"placement: 'lavin_router': its experts have two groups, and adapters of width {bottleneck} in a "
                f"stream of width {width} do not fall into two; set even block_width and skip_width"
            )
        self.scale, self.temperature = scale, temperature
        self.down = nn.Conv1d(width, bottleneck, 1)
        self.experts = nn.ModuleList(nn.Conv1d(bottleneck, width, 1, groups=2) for _ in range(_EXPERTS))
        self.router = nn.Linear(width, _EXPERTS)
        self.dropout = nn.Dropout(_DROPOUT)
        nn.init.xavier_uniform_(self.down.weight)
        nn.init.zeros_(self.down.bias)  # type: ignore[arg-type]
        for parameter in self.experts.parameters():
            nn.init.zeros_(parameter)

    def mixture(self, first: Tensor) -> Tensor:
        result: Tensor = (self.router(first) / self.temperature).softmax(-1)
        return result

    def forward(self, z: Tensor, mixture: Tensor | None = None) -> Tensor:
        weights = self.mixture(z[:, 0]) if mixture is None else mixture
        narrow = self.dropout(self.down(z.transpose(1, 2)))
        mixed = torch.stack([expert(narrow) for expert in self.experts], dim=1)  # (batch, experts, width, tokens)
        result: Tensor = self.scale * torch.einsum("bewt,be->btw", mixed, weights)
        return result
