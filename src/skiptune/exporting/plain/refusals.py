"""What cannot be a plain checkpoint, said before any work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn
from transformers import PreTrainedModel

from ...core.errors import InputError
from ...families.registry import family_of
from ...inserting.parameter_groups import parameter_groups
from ...inserting.selection import blocks_of
from ...layers.folded import FoldedAdapter
from ...plan import TokenSchedule
from .config_fields import without_layers
from .own_class import class_of_transformers
from .stacks import stacks_of

_CAN = "adapters: {block_adapter: lora, skip_adapter: none} (or folded) can"


def check_plain(model: PreTrainedModel, skipped: Sequence[str] | None = None) -> type[PreTrainedModel]:
    """Refuse a model that no class of transformers' own could read without the blocks ``skipped``.

    Args:
        model: with blocks, and with adapters or without.
        skipped: names of the blocks that go; ``None``: not known yet, any could.

    Returns:
        The class that reads it.

    Raises:
        InputError: says what is in the way, and what could be exported.
    """
    if getattr(model.config, "quantization_config", None) is not None:
        raise InputError("form: 'plain': the weights are quantised; export the model that they were made of")
    found = class_of_transformers(model)
    if unmerged := list(dict.fromkeys(_unmerged(model, skipped))):
        raise InputError(f"form: 'plain': {' and '.join(unmerged)} cannot be merged into weights; {_CAN}")
    if reason := family_of(model).not_plain(model, skipped or ()):
        raise InputError(f"form: 'plain': {reason}")
    without_layers(model.config, stacks_of(model, blocks_of(model), skipped or ()))
    return found


def check_tokens(tokens: TokenSchedule | str | None) -> None:
    """Refuse fewer image tokens, of which transformers' own classes know nothing.

    Args:
        tokens: how they become fewer; ``None``: they do not.

    Raises:
        InputError: says what can be plain instead.
    """
    if tokens is not None:
        raise InputError(
            f"form: 'plain': {tokens}: in transformers' own class all image tokens go through all layers; 'standalone' "
            "and 'adapters' can do with fewer. What is plain and has fewer: smaller pictures or fewer tiles in the "
            "processor's settings, with which the model is trained"
        )


def _unmerged(model: nn.Module, skipped: Sequence[str] | None) -> Iterator[str]:
    """Kinds of adapters that cannot become a part of the weights, of those that would be left."""
    for name, block in blocks_of(model).items():
        folds = isinstance(block.skip_adapter, FoldedAdapter | None)
        if not folds and (skipped is None or name in skipped):
            yield "adapters in the place of skipped blocks"
        if any((block.block_adapters, block.parallel_adapter, block.prompts)) and name not in (skipped or ()):
            yield "adapters beside kept blocks"


def refuse_leftovers(model: nn.Module) -> None:
    """Refuse a model without its dead blocks in which something is left that was inserted.

    Raises:
        InputError: names it.
    """
    groups = parameter_groups(model)
    left = [*groups["block_adapters"], *groups["skip_adapters"]]
    if left:
        raise InputError(f"form: 'plain': {', '.join(left[:3])}: cannot be merged into weights; {_CAN}")
