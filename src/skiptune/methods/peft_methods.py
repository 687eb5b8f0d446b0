"""PEFT's methods: LoRA (Hu et al., 2022) and (IA)³ (Liu et al., 2022). Both are merged for inference."""

from __future__ import annotations

from torch import nn

from ..core.seeding import drawn_from
from ..families.family import Family
from ..families.registry import family_of
from ..inserting.insert import insert
from ..inserting.parameter_groups import freeze_body
from ..inserting.pruning import remove_dead_blocks
from ..inserting.selection import blocks_of
from ..models.module_names import module_names
from .method import Method, Setup, nothing_skipped


class Lora(Method):
    """On the layers of all blocks that a run's ``block_adapter: lora`` wraps."""

    name, title = "lora", "LoRA"

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        insert(model, setup.adapters.replace(block_adapter="lora", init="zero"), setup.seed)
        return remove_dead_blocks(model, nothing_skipped(model))  # no skip adapters


class Ia3(Method):
    """Scales of keys, values and the inner activations of the feed-forward network, all starting at one.

    Three times the learning rate, because few numbers must change a lot; in the original it is 3e-3 where LoRA's is
    1e-3.
    """

    name, title = "ia3", "(IA)³"
    rate = 3.0

    def refusal(self, family: Family) -> str | None:
        if any(kind.scaled_targets for kind in family.kinds):
            return None
        return f"{family.name}'s table names no layers that (IA)³ scales"

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        from peft import IA3Config, inject_adapter_in_model

        super().prepare(model, setup)
        family, names = family_of(model), module_names(model)
        scaled, narrowing = [], []
        for block in blocks_of(model).values():
            kind, prefix = family.kind_of(block), names[id(block)]
            scaled += [f"{prefix}.{layer}" for layer in kind.scaled_targets]
            narrowing += [f"{prefix}.{kind.narrowing}"] if kind.narrowing else []
        with drawn_from(setup.seed):
            inject_adapter_in_model(
                IA3Config(target_modules=[*scaled, *narrowing], feedforward_modules=narrowing), model
            )
        freeze_body(model)
        return model
