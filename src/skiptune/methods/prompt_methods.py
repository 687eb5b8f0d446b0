"""Learnt tokens (Jia et al., "Visual Prompt Tuning", 2022): before the first block, or anew in every block.

PEFT's prompts are made for models of text: they are put before the embedded text, whose first token ViLT's pooler then
no longer finds, or into a cache of keys that these models do not have. So these are ours.
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
        return f"{family.name} adds a stream of its encoders at every fusion layer, so that no token can be added"

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
    """Tokens of every block's own, in place of what the last block made of its.

    What a block makes of its prompts is never read, so they are keys and values of its self-attention only: the same
    function as with whole tokens, for less.
    """

    name, title, form = "deep-prompts", "deep prompts", "deep-prompts"

    def prepare(self, model: nn.Module, setup: Setup) -> nn.Module:
        super().prepare(model, setup)
        family = family_of(model)
        with drawn_from(setup.seed):
            for block in blocks_of(model).values():
                block.prompts = Prompts(family.kind_of(block).width(model.config), setup.prompt_length)
        freeze_body(model)
        return model
