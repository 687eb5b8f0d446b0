"""Learnt tokens (Jia et al., "Visual Prompt Tuning", 2022): before the first block, or new ones in every block.

Own code, because PEFT's prompts are made for text models: they are put before the embedded text, whose first token
ViLT's pooler then does not find, or into a key-value cache that these models do not have.
"""

from __future__ import annotations

from torch import nn

from ..core.errors import InputError
from ..core.seeding import drawn_from
from ..families.family import Family
from ..families.registry import family_of
from ..inserting.parameter_groups import freeze_body
from ..inserting.selection import blocks_of
from ..layers.adapters import Prompts
from .method import Method, Setup


class ShallowPrompts(Method):
    """Tokens beside those that enter the first block, of each stream; they go through all blocks."""

    name, title, form = "shallow-prompts", "shallow prompts", "shallow-prompts"

    def refusal(self, family: Family) -> str | None:
        if family.add_prompts is not None:
            return None
        return f"no token can be added to the streams of {family.name}"

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        family = family_of(model)
        add_prompts = family.add_prompts
        if add_prompts is None:
            raise InputError(f"{self.name}: {self.refusal(family)}")
        super().prepare(model, setup)
        with drawn_from(setup.seed):
            add_prompts(model, setup.prompt_length)
        freeze_body(model)
        return model


class DeepPrompts(Method):
    """Own tokens for every block, which replace the previous block's prompt outputs.

    A block's outputs for its prompts are never used, so prompts are only keys and values of its self-attention: the
    same function at lower cost.
    """

    name, title, form = "deep-prompts", "deep prompts", "deep-prompts"

    def refusal(self, family: Family) -> str | None:
        if any(kind.block_class.takes_prompts for kind in family.kinds):
            return None
        return f"blocks of {family.name} read no prompts (takes_prompts)"

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        super().prepare(model, setup)
        family = family_of(model)
        with drawn_from(setup.seed):
            for block in blocks_of(model).values():
                block.prompts = Prompts(family.kind_of(block).width(model.config), setup.prompt_length)
        freeze_body(model)
        return model
