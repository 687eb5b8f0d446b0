"""What stands in a skipped block, where a configuration leaves it open."""

from __future__ import annotations

from torch import nn

from ..config import SkipConfig
from ..families.registry import family_of


def with_skip_adapter(config: SkipConfig, model: nn.Module) -> SkipConfig:
    """The configuration with a ``skip_adapter``: its own, or what is usual for it and the model.

    With LoRA, which is merged at export, ``folded`` where blocks take such adapters up: then the whole export costs
    nothing beside the kept blocks, can be plain, and answers at least as well as with bottlenecks
    (``benchmarks/skip_adapters.py``). ``none`` without other adapters. Else ``bottleneck``, the paper's.
    """
    if config.skip_adapter is not None:
        return config
    if config.block_adapter == "none":
        return config.replace(skip_adapter="none")
    merged = config.block_adapter == "lora" and config.placement == "stream" and config.init != "paper"
    folds = any(kind.folding for kind in family_of(model).kinds) and not config.parts
    quantised = not all(parameter.is_floating_point() for parameter in model.parameters())
    return config.replace(skip_adapter="folded" if merged and folds and not quantised else "bottleneck")
