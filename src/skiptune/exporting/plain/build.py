"""Make the model of transformers' own class that a plain checkpoint holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from ...core.state_dicts import refuse_misfit, shapes_of
from ...models.construction import construction
from ...models.generation_files import generation_of
from ...models.without_weights import parameters_on_meta
from .config_fields import without_layers
from .refusals import refuse_leftovers
from .stacks import Stack


def plain_model(model: PreTrainedModel, stacks: Sequence[Stack], model_class: type[PreTrainedModel]) -> PreTrainedModel:
    """The model without the layers that go, of transformers' own class and with the weights of ``model``, which is used
    up.

    Args:
        model: pruned.
        stacks: its layers, and which of them stay.
        model_class: that of :func:`~skiptune.exporting.plain.refusals.check_plain`.

    Raises:
        InputError: adapters are left that cannot be merged, or the weights do not fit.
    """
    refuse_leftovers(model)
    config = without_layers(model.config, stacks)
    _take_out(model, stacks)
    for part in (config, config.get_text_config()):
        if getattr(part, "use_cache", None) is False:
            part.use_cache = True  # off for gradient checkpointing, which no one wants at inference
    with construction(), parameters_on_meta():
        made: Any = model_class(config)
    state = model.state_dict()
    refuse_misfit(
        f"form: 'plain': the weights do not fit {model_class.__name__}", shapes_of(made.state_dict()), shapes_of(state)
    )
    made.load_state_dict(state, strict=True, assign=True)
    with construction():
        made.tie_weights()
    made.generation_config = generation_of(model)
    return made.eval()


def _take_out(model: nn.Module, stacks: Sequence[Stack]) -> None:
    """Leave only the kept layers in the lists, which renumbers them."""
    for stack in stacks:
        layers: Any = model.get_submodule(stack.path)
        model.set_submodule(stack.path, nn.ModuleList(layers[number] for number in stack.kept))
