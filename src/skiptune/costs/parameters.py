"""Parameters by group."""

from __future__ import annotations

from torch import nn

from ..inserting.parameter_groups import parameter_groups


def count_parameters(model: nn.Module, original: int | None = None) -> dict[str, int]:
    """Parameters by group, the total, and how many are trained."""
    groups = {
        group: sum(parameter.numel() for parameter in parameters.values())
        for group, parameters in parameter_groups(model).items()
    }
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    counts = {"total": sum(groups.values()), "trainable": trainable, **groups}
    return counts if original is None else {"original": original, **counts}
