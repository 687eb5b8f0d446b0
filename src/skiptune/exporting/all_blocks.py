"""A slim model with its base's own blocks where it skips, to be seen beside it."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel

from ..core.errors import InputError
from ..inserting.folding import folded_layers
from ..inserting.frozen_names import frozen_names
from ..inserting.insert import insert
from ..inserting.pruning import prune
from ..inserting.selection import blocks_of
from ..models.loading import load_config, load_model
from ..plan import Plan
from .load import load
from .manifest import is_slim, read_manifest
from .structure import config_changes


def load_with_all_blocks(directory: Path, base: str | None = None) -> PreTrainedModel:
    """The model of a slim directory before its blocks were skipped, as far as the directory and the base hold it.

    Kept blocks, their adapters, small parts and the head are the slim model's. Skipped blocks are the base's, without
    adapters, which an export leaves out; so are layers of kept blocks that skip adapters were folded into. It computes
    as much as the base, so its time is what the skipped blocks cost. It was not trained like this: its answers are not
    those of a model that was tuned with all blocks.

    Args:
        directory: of a slim model of either form.
        base: another place of the base model.

    Raises:
        InputError: a plain checkpoint, a base that cannot be read or another one than it was trained on; or as
            :func:`skiptune.load`.
    """
    if not is_slim(directory):
        raise InputError(f"{directory}: a plain checkpoint, whose blocks have new numbers; its original is its base")
    manifest = read_manifest(directory)
    slim = load(directory, base if manifest.form == "adapters" else None)
    name = base or manifest.base
    changes = config_changes(manifest.base_config, load_config(name).to_dict())
    model = load_model(name, manifest.model_class, quiet=True, **changes)
    insert(model, manifest.skip_config)
    frozen = frozen_names(model)
    blocks = blocks_of(model)
    prune(model, Plan(manifest.plan.family, tuple(blocks), ()))
    own, folded = model.state_dict(), folded_layers(slim)
    kept = {key: value for key, value in slim.state_dict().items() if key.rpartition(".")[0] not in folded}
    other = [key for key in sorted(frozen & own.keys() & kept.keys()) if not torch.equal(own[key], kept[key])]
    if other:
        raise InputError(f"{name}: not the base it was trained on; {len(other)} frozen weights differ: {other[:3]}")
    model.load_state_dict({key: value for key, value in kept.items() if key in own}, strict=False)
    return model.requires_grad_(False).eval()
