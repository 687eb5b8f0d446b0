"""Load what ``save_pretrained`` of a model with adapters wrote."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from ..core.errors import InputError, first_line
from ..core.state_dicts import refuse_misfit, shapes_of
from ..core.text_files import read_json
from ..families.family import Family
from ..families.registry import family_of_type, model_class_named
from ..models.config_check import config_from_fields
from ..models.construction import construction
from ..models.generation_files import read_generation
from ..models.tied_weights import with_tied
from ..models.weight_files import check_weights, weight_files
from ..models.without_weights import parameters_on_meta
from ..plan import Plan
from .adapted_class import adapt_class
from .folding import drop_folded
from .insert import insert
from .pruning import remove_dead_blocks
from .saved_model import CONFIG, SavedModel
from .selection import blocks_of, choose


def load_saved(folder: Path, own_class: type[PreTrainedModel] | None = None) -> PreTrainedModel:
    """The model in such a directory, in evaluation mode; what was trained can be trained further.

    Args:
        folder: the directory.
        own_class: the model's class, if it is none of a family's.

    Raises:
        InputError: edited or damaged files, weights that do not fit, or a class that no family has.
    """
    saved = SavedModel.from_dict(read_json(folder / CONFIG), f"{folder / CONFIG} is not valid")
    try:
        model_type = saved.base_config.get("model_type")
        if own_class is None:
            model_class, family = model_class_named(saved.architecture, model_type)
        else:
            model_class, family = own_class, family_of_type(model_type, saved.architecture)
            if own_class.__name__ != saved.architecture:
                raise InputError(f"model_class: {own_class.__name__} is another class than {saved.architecture}")
        model = _structure(saved, model_class, family)
    except InputError as error:
        raise InputError(f"{folder / CONFIG}: {error}") from None
    state = with_tied(model, _read_weights(folder))
    refuse_misfit(f"{folder}: the weights do not fit", shapes_of(model.state_dict()), shapes_of(state))
    model.load_state_dict(state, strict=True, assign=True)
    with construction():
        model.tie_weights()
    model.name_or_path = saved.base
    read_generation(model, folder)
    return model.eval()


def _structure(saved: SavedModel, model_class: type[PreTrainedModel], family: Family) -> PreTrainedModel:
    """The model with adapters, its parameters on the meta device."""
    config = config_from_fields(saved.config_fields, family.config_class, CONFIG)
    try:
        with construction(), parameters_on_meta():
            model = model_class(config)
            insert(model, saved.skip_config, merged=saved.merged)
            if saved.folded:
                drop_folded(model)
    except Exception as error:  # an edited configuration can raise anything
        raise InputError(f"no model can be built from base_config: {first_line(error)}; edited?") from None
    if saved.pruned or saved.removed:
        remove_dead_blocks(model, Plan(family.name, tuple(blocks_of(model)), saved.removed))
    choose(model, saved.skipped, saved.tokens)
    adapt_class(model)
    return model


def _read_weights(folder: Path) -> dict[str, Tensor]:
    """All weights in a directory.

    Raises:
        InputError: there are none, or they are damaged.
    """
    check_weights(folder)
    state: dict[str, Tensor] = {}
    for path in dict.fromkeys(weight_files(folder)):
        try:
            state.update(load_file(path))
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path}: cannot be read ({first_line(error)}); truncated or edited?") from None
    return state
