"""Ready models from original state dictionaries."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from torch import Tensor, nn
from transformers import PreTrainedModel

from ..config import SkipConfig
from ..core.errors import InputError
from ..core.state_dicts import add_misfit, shapes_of
from ..core.validation import Problems
from ..inserting.insert import insert
from ..inserting.selection import blocks_of
from ..models.construction import construction
from .layout import Layout, OriginalWeights
from .meter_layout import METER
from .shapes import Hints, Shapes, Sizes
from .vilt_layout import VILT

M = TypeVar("M", bound=PreTrainedModel)

_LAYOUTS = (VILT, METER)


def layout_of_state(state: Mapping[str, Tensor]) -> Layout:
    """The layout of the model that knows most of the keys.

    Raises:
        InputError: no model knows any.
    """
    known = [sum(map(layout.knows, state)) for layout in _LAYOUTS]
    if not any(known):
        titles = " or ".join(layout.title for layout in _LAYOUTS)
        examples = ", ".join(sorted(state)[:3])
        raise InputError(f"no weights of an original {titles}: none of the {len(state)} keys is known ({examples}…)")
    return _LAYOUTS[known.index(max(known))]


def read_original(state: Mapping[str, Tensor]) -> OriginalWeights:
    """Sort and rename an original state dictionary, leaving no key out: as the model that knows most of its keys.

    Raises:
        InputError: keys that belong to nothing known, all in one message.
    """
    return layout_of_state(state).read(state)


def sizes_of_state(layout: Layout, state: Mapping[str, Tensor], hints: Hints) -> Sizes:
    """Fields of a configuration with the sizes that the weights have.

    Raises:
        InputError: sizes that cannot be inferred from the weights and ``hints``, all in one message.
    """
    shapes = Shapes(state)
    sizes = layout.sizes(shapes, hints)
    shapes.problems.raise_any()
    return sizes


def adapters_of_state(layout: Layout, state: Mapping[str, Tensor]) -> SkipConfig | None:
    """The adapter settings for :func:`skiptune.insert` that fit a checkpoint; ``None``: it has no adapters."""
    block, skip = map(Shapes(state).rows, layout.adapter_widths)
    return None if block is None and skip is None else SkipConfig(block_width=block, skip_width=skip, init="paper")


def model_from_original(
    state: Mapping[str, Tensor], config: Any, model_class: type[M], skip_config: SkipConfig | None = None
) -> M:
    """A model of ``model_class`` with original weights, in float32 and evaluation mode.

    Heads of other tasks are dropped. ``config`` is copied; its LayerNorm epsilons are set to the original's (those
    of ViLT's text embeddings on the model itself, as transformers' configuration has one for all).

    Args:
        state: original names → tensors.
        config: the sizes, which must be those of ``state``. NLVR2 needs, as its checkpoints have a third token-type
            row for the second image, ``modality_type_vocab_size=3``, and for ViLT ``num_images=2``.
        model_class: ``ViltModel``, ``MeterModel``, or the class of a task whose head is in ``state``.
        skip_config: adapters to insert. They get the weights in ``state``, or start afresh if it has none at all.
            ``None``: a plain model; adapters in ``state`` are left behind.

    Raises:
        InputError: a key nobody knows, a class that is not supported, weights that are missing, left over or of other
            sizes than ``config`` and ``skip_config`` say.
    """
    layout = _layout_of(model_class)
    config = copy.deepcopy(config)
    layout.prepare(config)
    weights, head = layout.complete(layout.read(state), config), layout.head_of[model_class]
    if head and head not in weights.heads:
        raise InputError(f"{model_class.__name__} needs the {head!r} head; there are only: {', '.join(weights.heads)}")
    with construction():  # every weight is replaced
        model: M = model_class(config)
    layout.adopt(model)
    model.eval()
    cut = 0 if head else len(layout.prefix)  # without a head, the body's names have no prefix
    _load(model, {**weights.body, **weights.heads.get(head or "", {})}, model.state_dict().keys(), cut)
    if skip_config is not None:
        plain = model.state_dict().keys()
        insert(model, skip_config)
        if weights.adapters:
            _load(model, weights.adapters, model.state_dict().keys() - plain, cut)
    return model


def released_blocks(model: nn.Module, numbers: Iterable[int]) -> tuple[str, ...]:
    """Names of blocks by their numbers in the released code's skip lists (METER: 0-5 text, 6-11 image).

    Raises:
        InputError: a number the model has no block for.
    """
    names = tuple(blocks_of(model))
    wanted = list(numbers)
    if unknown := [number for number in wanted if number not in range(len(names))]:
        raise InputError(f"skipped blocks {unknown}: the released code numbers them 0 to {len(names) - 1}")
    return tuple(names[number] for number in wanted)


def _layout_of(model_class: type[PreTrainedModel]) -> Layout:
    for layout in _LAYOUTS:
        if model_class in layout.head_of:
            return layout
    supported = ", ".join(known.__name__ for layout in _LAYOUTS for known in layout.head_of)
    raise InputError(f"{model_class.__name__} cannot be built from original weights; supported: {supported}")


def _load(model: nn.Module, tensors: Mapping[str, Tensor], expected: Collection[str], cut: int) -> None:
    """Put exactly the ``expected`` entries of the model's state in place, or refuse naming every misfit."""
    tensors = {name[cut:]: tensor for name, tensor in tensors.items()}
    own = model.state_dict()
    wanted = shapes_of({name: own[name] for name in expected})
    problems = Problems("the weights do not fit the configuration")
    add_misfit(problems, wanted, shapes_of(tensors))
    problems.raise_any()
    model.load_state_dict({**own, **tensors}, strict=True)
