"""The class of transformers' own that reads a plain checkpoint of a model."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from ...core.errors import InputError
from ...core.state_dicts import Shapes, compare_shapes, shapes_of
from ...families.family import Family
from ...families.registry import family_of
from ...inserting.adapted_class import plain_class
from ...inserting.parameter_groups import parameter_groups
from ...inserting.selection import blocks_of
from ...models.construction import construction
from ...models.module_names import module_names
from ...models.without_weights import parameters_on_meta


def class_of_transformers(model: PreTrainedModel) -> type[PreTrainedModel]:
    """The model's class, or the nearest one above it that is transformers' own and has the same weights.

    Args:
        model: with adapters or without.

    Raises:
        InputError: there is none; the message names tasks of the family that have one.
    """
    own = plain_class(model)
    found = _candidate(own)
    if found is None:
        raise InputError(_refusal(own, "", model))
    gone = _removed(model)
    made = {name: shape for name, shape in _shapes(found, model.config).items() if not name.startswith(gone)}
    if misfit := compare_shapes(made, _without_adapters(model)):
        names = [*misfit.unknown, *misfit.sizes, *misfit.missing]
        raise InputError(_refusal(own, f": {found.__name__} has no place for {', '.join(names[:3])}", model))
    return found


def _candidate(own: type[Any]) -> type[Any] | None:
    """The nearest class of transformers' own that is made of a configuration."""
    theirs = (kind for kind in own.__mro__ if kind.__module__.startswith("transformers.models."))
    return next((kind for kind in theirs if not kind.__name__.endswith("PreTrainedModel")), None)


def _shapes(kind: type[Any], config: Any) -> Shapes:
    with construction(), parameters_on_meta():
        return shapes_of(kind(config).state_dict())


def _removed(model: nn.Module) -> tuple[str, ...]:
    """What the names of weights begin with that are gone already, in a model that was pruned."""
    names = module_names(model)
    return tuple(f"{names[id(block)]}." for block in blocks_of(model).values() if block.removed)


def _without_adapters(model: nn.Module) -> Shapes:
    """The sizes of a model's weights, by their names before adapters were inserted."""
    groups = parameter_groups(model)
    added = groups["block_adapters"].keys() | groups["skip_adapters"].keys()
    shapes = shapes_of(model.state_dict())
    return {name.replace(".base_layer.", "."): shape for name, shape in shapes.items() if name not in added}


def _refusal(own: type[Any], why: str, model: Any) -> str:
    tasks = _tasks(family_of(model), model.config)
    nearest = f"of the tasks, {', '.join(tasks)} can" if tasks else "use form='standalone'"
    return (
        f"form: 'plain': {own.__name__} is no class of transformers' own, and none there has its weights{why}; "
        f"{nearest}"
    )


def _tasks(family: Family, config: Any) -> list[str]:
    """Those tasks whose class has the same weights as one of transformers' own."""
    config = copy.deepcopy(config)
    for name, value in family.pair_config.items():
        setattr(config, name, value)
    found = []
    for task, kind in family.model_classes.items():
        candidate = _candidate(kind)
        if candidate is not None and not compare_shapes(_shapes(candidate, config), _shapes(kind, config)):
            found.append(task)
    return found
