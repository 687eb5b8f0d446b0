"""Make a model faster for inference on a CPU; its outputs stay the same up to rounding.

torch multiplies float32 matrices with MKL. oneDNN, which torch also includes, is faster on many processors once the
weights are packed in its own layout, and applies an activation or adds the residual while the result is still in the
cache. torch offers this only to its compiler, under ``torch.ops.mkldnn``; if these operations are missing, nothing is
prepared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers.activations import GELUActivation, QuickGELUActivation

from ..core.errors import InputError
from ..layers.adapters import BottleneckAdapter

#: Names, inside one module, of a linear layer, the activation after it, and the next linear layer.
_ACTIVATED = (
    ("dense", "intermediate_act_fn", None),
    ("intermediate", "activation", None),
    ("fc1", "activation_fn", "fc2"),
)
_QUICK_GELU = 1.702  # x · sigmoid(1.702 x)

Packed = dict[int, tuple[Tensor, Tensor]]


def prepare_for_inference(model: nn.Module, packed: Packed | None = None) -> nn.Module:
    """Pack the linear layers of a model in float32 on a CPU for oneDNN and fuse the operations after them. In place.

    Afterwards the model can only be run: not trained, saved, exported or moved. A model on another device, in another
    type, or with a torch that lacks the operations stays as it is. Weights take as much memory as before.

    Args:
        model: a slim model, or any other.
        packed: cache of packed weights; several models of one base then share them.

    Returns:
        ``model``, in evaluation mode.
    """
    model.eval()
    if not is_available():
        return model
    for module in list(model.modules()):
        for first, activation, second in _ACTIVATED:
            _fuse_activation(module, first, activation, second, packed)
    for module in list(model.modules()):
        if type(module) is nn.Linear:
            PackedLinear.adopt(module, packed)
    for module in model.modules():
        if type(module) is BottleneckAdapter and isinstance(module.down, PackedLinear):
            module.down.activation = "relu"
            module.__class__ = FusedAdapter
    return model


def is_available() -> bool:
    """Whether torch has the operations."""
    operations = ("_linear_pointwise", "_reorder_linear_weight")
    found: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return found and all(hasattr(torch.ops.mkldnn, name) for name in operations)


class PackedLinear(nn.Linear):
    """A linear layer with its weight in oneDNN's layout and a fused activation or addition.

    Attributes:
        packed: the weight in oneDNN's layout; ``weight`` is gone.
        activation: ``none``, ``relu``, ``gelu`` (with the error function) or ``swish``.
    """

    packed: Tensor
    activation: str

    @classmethod
    def adopt(cls, linear: nn.Linear, packed: Packed | None, scale: float = 1.0, bias_scale: float = 1.0) -> None:
        """Turn ``linear`` into a packed layer, in place, with a scaled weight and bias; skipped for other dtypes or
        devices."""
        weight = linear.weight
        if weight.device.type != "cpu" or weight.dtype != torch.float32:
            return
        found = None if packed is None else packed.get(weight.data_ptr())
        if found is None:
            kept = weight.detach()
            found = kept, torch.ops.mkldnn._reorder_linear_weight(kept * scale if scale != 1 else kept)
        if packed is not None:  # the weight is held, because its address is the key
            packed[weight.data_ptr()] = found
        linear.__class__ = cls
        layer = cast(PackedLinear, linear)
        layer.packed, layer.activation = found[1], "none"
        layer.register_parameter("weight", None)
        if layer.bias is not None and bias_scale != 1:
            layer.bias = nn.Parameter(layer.bias.detach() * bias_scale, requires_grad=False)

    def forward(self, input: Tensor) -> Tensor:
        """``activation(input · weightᵀ + bias)``."""
        kind = "none" if self.activation == "gelu" else ""
        result: Tensor = torch.ops.mkldnn._linear_pointwise(input, self.packed, self.bias, self.activation, [], kind)
        return result

    def added_to(self, y: Tensor, input: Tensor) -> Tensor:
        """``y + input · weightᵀ + bias``, without the activation."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(input, y, self.packed, self.bias, "add")
        return result

    def _save_to_state_dict(self, *given: Any, **named: Any) -> None:
        raise InputError("this model was prepared for inference and cannot be saved; save it before that")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> PackedLinear:
        moved = fn(torch.empty(0))
        if moved.device.type != "cpu" or moved.dtype != torch.float32:
            raise InputError(
                f"this model was prepared for inference in float32 on the CPU and cannot become {moved.dtype} on "
                f"{moved.device}; move it before that"
            )
        return self


class FusedAdapter(BottleneckAdapter):
    """A bottleneck adapter on packed layers, with ReLU and the residual addition fused."""

    down: PackedLinear
    up: PackedLinear

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.up(self.down(self.layer_norm(x)))
        return result

    def added_to(self, y: Tensor, x: Tensor) -> Tensor:
        return self.up.added_to(y, self.down(self.layer_norm(x)))


def _fuse_activation(module: nn.Module, first: str, activation: str, second: str | None, packed: Packed | None) -> None:
    """Fuse an activation into the linear layer ``first`` before it.

    CLIP's, ``x · sigmoid(1.702 x)``, is ``swish(1.702 x) / 1.702``: its factors go into the layers around it.
    """
    before, function = getattr(module, first, None), getattr(module, activation, None)
    after = None if second is None else getattr(module, second, None)
    if type(before) is not nn.Linear:
        return
    if isinstance(function, GELUActivation | nn.GELU) and getattr(function, "approximate", "none") == "none":
        PackedLinear.adopt(before, packed)
        name = "gelu"
    elif isinstance(function, QuickGELUActivation) and type(after) is nn.Linear:
        PackedLinear.adopt(before, packed, _QUICK_GELU, _QUICK_GELU)
        PackedLinear.adopt(after, packed, 1 / _QUICK_GELU)
        name = "swish"
    else:
        return
    if isinstance(before, PackedLinear):
        before.activation = name
        setattr(module, activation, nn.Identity())
