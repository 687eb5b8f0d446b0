"""Adapters in every block: the paper's, parallel to each sub-layer, or scaled ones, parallel to the feed-forward
network."""

from __future__ import annotations

from torch import nn

from ..core.seeding import drawn_from
from ..families.family import Family
from ..families.registry import family_of
from ..inserting.insert import adapter_widths, insert
from ..inserting.parameter_groups import freeze_body
from ..inserting.pruning import remove_dead_blocks
from ..inserting.selection import blocks_of
from ..layers.adapters import ParallelAdapter
from .method import Method, Setup, nothing_skipped


class Adapters(Method):
    """Bottleneck adapters as in a run, with nothing skipped."""

    name, title, form = "adapters", "adapters", "bottleneck"

    def refusal(self, family: Family) -> str | None:
        if any(kind.sublayers for kind in family.kinds):
            return None
        return f"blocks of {family.name} add no bottleneck adapters (sublayers)"

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        config = setup.adapters.replace(block_adapter="bottleneck")
        if config.init == "fit":  # the width of skip adapters, of which there are none
            config = config.replace(init="zero")
        insert(model, config, setup.seed)
        return remove_dead_blocks(model, nothing_skipped(model))  # no skip adapters


class ParallelAdapters(Method):
    """Scaled parallel adapters (He et al., 2022)."""

    name, title, form = "parallel", "parallel adapters", "parallel"

    def refusal(self, family: Family) -> str | None:
        if any(kind.block_class.takes_parallel for kind in family.kinds):
            return None
        return f"blocks of {family.name} add no parallel adapter (takes_parallel)"

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        super().prepare(model, setup)
        family = family_of(model)
        with drawn_from(setup.seed):
            for block in blocks_of(model).values():
                kind = family.kind_of(block)
                width = kind.width(model.config)
                beside, _ = adapter_widths(setup.adapters, width, kind.skip_factor)
                bottleneck = setup.parallel_width or beside * kind.sublayers
                block.parallel_adapter = ParallelAdapter(width, bottleneck, setup.parallel_scale)
        freeze_body(model)
        return model
