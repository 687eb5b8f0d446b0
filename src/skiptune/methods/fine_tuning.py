"""Methods that add nothing: all of the model is tuned, or its head, its biases (Ben Zaken et al., 2022), or nothing."""

from __future__ import annotations

from torch import nn

from ..families.registry import family_of
from ..inserting.parameter_groups import parameter_groups, unfreeze
from .method import Method, Setup


class Full(Method):
    """All parameters, at a tenth of the learning rate, because they are pre-trained while adapters are new."""

    name, title = "full", "full tuning"
    own, rate = ("body", "small_parts"), 0.1
    whole = True

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        unfreeze(super().prepare(model, setup))
        return model


class ZeroShot(Method):
    """The model without training, for tasks whose head is pre-trained, as that of retrieval can be."""

    name, title = "zero-shot", "zero-shot"
    own = ()
    trains = False

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        return super().prepare(model, setup).requires_grad_(False)


class HeadOnly(Method):
    """The task head and nothing else, poolers frozen too."""

    name, title = "head", "head only"
    own = ("head",)

    def unusable(self, model: nn.Module) -> str | None:
        if not parameter_groups(model)["head"]:
            return f"{family_of(model).name} has no head of a task"
        return super().unusable(model)

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        super().prepare(model, setup)
        for parameter in parameter_groups(model)["small_parts"].values():
            parameter.requires_grad_(False)
        return model


class HeadAndSmallParts(Method):
    """The task head and the small parts, poolers and token-type embeddings: what a run trains beside adapters."""

    name, title = "head-and-small-parts", "head and small parts"
    own = ("head", "small_parts")


class BitFit(Method):
    """All biases of the body, encoders and LayerNorms included."""

    name, title = "bitfit", "BitFit"
    own, rate = ("body",), 1.0
    whole = True

    def unusable(self, model: nn.Module) -> str | None:
        if not any(map(_is_bias, parameter_groups(model)["body"])):
            return f"{family_of(model).name} has no biases"
        return super().unusable(model)

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        super().prepare(model, setup)
        for name, parameter in parameter_groups(model)["body"].items():
            parameter.requires_grad_(_is_bias(name))
        return model


def _is_bias(name: str) -> bool:
    return name.rpartition(".")[2].endswith("bias")
