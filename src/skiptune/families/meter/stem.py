"""A convolutional network as the first layers of METER's image encoder, instead of one linear map per patch.

The trunk is EfficientNet-Lite0 (Tan and Le, 2019; the Lite variant without squeeze-and-excitation), batch normalization
folded into the convolutions. A patch of 32 × 32 pixels becomes a token: the sum of linear maps of the trunk's features
at strides 8, 16 and 32, so that small objects are not lost.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: kernel, stride, expansion, channels, blocks of every stage.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
FIRST, HEAD, STRIDE = 32, 1280, 32
#: The feature maps of the tokens: channels, and the side of a token in pixels of the map.
MAPS = ((40, 4), (112, 2), (320, 1))
_TAPS = (4, 10, 15)

Maps = tuple[Tensor, Tensor, Tensor]


class SameConvolution(nn.Conv2d):
    """Padded as TensorFlow does: a stride of two takes its first pixel one place later than PyTorch's padding."""

    def __init__(self, inputs: int, outputs: int, size: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride, size // 2 if stride == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, inputs, height, width)`` to ``(batch, outputs, height / stride, width / stride)``; even sizes."""
        spare = self.kernel_size[0] - self.stride[0]
        if self.stride[0] > 1:
            x = nn.functional.pad(x, (spare // 2, spare - spare // 2) * 2)
        return super().forward(x)


class InvertedBottleneck(nn.Module):
    """Widen, filter every channel by itself, narrow; with a residual where the shape stays."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = SameConvolution(inputs, inner) if expansion > 1 else None
        self.filter = SameConvolution(inner, inner, size, stride, inner)
        self.project = SameConvolution(inner, outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, inputs, height, width)`` to ``(batch, outputs, height / stride, width / stride)``."""
        wide = x if self.expand is None else nn.functional.relu6(self.expand(x))
        narrow: Tensor = self.project(nn.functional.relu6(self.filter(wide)))
        return x + narrow if self.residual else narrow


class Trunk(nn.Module):
    """EfficientNet-Lite0 up to its last stage."""

    def __init__(self) -> None:
        super().__init__()
        self.first = SameConvolution(3, FIRST, 3, 2)
        blocks: list[nn.Module] = []
        inputs = FIRST
        for size, stride, expansion, channels, count in STAGES:
            for number in range(count):
                blocks.append(InvertedBottleneck(inputs, channels, size, stride if number == 0 else 1, expansion))
                inputs = channels
        self.blocks = nn.ModuleList(blocks)

    def forward(self, pixels: Tensor) -> Maps:
        """``(images, 3, height, width)``, multiples of 32, to three maps, see :data:`MAPS`."""
        x = pixels.contiguous(memory_format=torch.channels_last)  # twice as fast on CPU
        x = nn.functional.relu6(self.first(x))
        maps = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _TAPS:
                maps.append(x)
        fine, middle, coarse = maps
        return fine, middle, coarse


class ConvolutionalStem(nn.Module):
    """Takes the place of CLIP's ``patch_embedding``: ``(images, 3, h, w)`` to ``(images, width, h / 32, w / 32)``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.head = SameConvolution(MAPS[-1][0], HEAD)
        self.fine = nn.Conv2d(MAPS[0][0], width, MAPS[0][1], MAPS[0][1])
        self.middle = nn.Conv2d(MAPS[1][0], width, MAPS[1][1], MAPS[1][1])
        self.coarse = nn.Conv2d(HEAD, width, 1, bias=False)

    @property
    def weight(self) -> Tensor:
        """The weight from which CLIP takes its dtype."""
        return self.coarse.weight

    def forward(self, pixels: Tensor) -> Tensor:
        """One token for every 32 × 32 pixels."""
        return self.merge(self.trunk(pixels))

    def merge(self, maps: Maps) -> Tensor:
        """The part of :meth:`forward` above the trunk. The sum is scaled to about the standard deviation of one of its
        three parts."""
        fine, middle, coarse = maps
        top = nn.functional.relu6(self.head(coarse))
        merged: Tensor = (self.fine(fine) + self.middle(middle) + self.coarse(top)) * 3**-0.5
        return merged


@torch.no_grad()
def folded(weight: Tensor, norm: dict[str, Tensor], epsilon: float = 1e-3) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that equals ``weight`` followed by a batch normalization.

    Args:
        weight: ``(outputs, …)``.
        norm: ``weight``, ``bias``, ``running_mean``, ``running_var`` of the normalization, ``(outputs,)`` each.
        epsilon: of the normalization.
    """
    scale = norm["weight"] / torch.sqrt(norm["running_var"] + epsilon)
    return weight * scale.view(-1, 1, 1, 1), norm["bias"] - norm["running_mean"] * scale
