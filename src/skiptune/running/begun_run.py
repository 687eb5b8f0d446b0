"""What a run began with stays: defaults that are others now do not change a run that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..config import SearchConfig, SkipConfig, TrainConfig
from ..config.skip_config import as_before
from ..core.errors import InputError
from ..core.text_files import read_json
from ..data.data_config import DataConfig
from .recipe import Recipe, TimingConfig

#: What version 0.3 did, which had no such fields of ``data``.
_DATA_BEFORE = {"reserved_share": None, "exif_orientation": False}
#: Of ``adapters``, too; how older ones name skip adapters says :func:`as_before`.
_ADAPTERS = {name: value for name, value in SkipConfig().to_dict().items() if name != "skip_adapter"}
#: Section → its fields as a run has them whose recipe does not name them.
_BEFORE = {
    "adapters": _ADAPTERS,
    "budget": {"decode_steps": None},
    "search": SearchConfig().to_dict(),
    "data": {**DataConfig().to_dict(), **_DATA_BEFORE},
    "train": TrainConfig().to_dict(),
    "bench": TimingConfig().to_dict(),
}


def kept_recipe(path: Path) -> Recipe:
    """The recipe of a run, ``recipe.json``.

    Raises:
        InputError: truncated or edited.
    """
    return Recipe.from_dict(
        filled_in(read_json(path)), f"{path}: not the recipe of a run; edited? Put it back, or name another output"
    )


def filled_in(recipe: Any) -> Any:
    """The content of a ``recipe.json``, with the fields that an older version did not write."""
    if not isinstance(recipe, dict):
        return recipe
    given = {name: recipe[name] for name in _BEFORE if isinstance(recipe.get(name), dict)}
    if "adapters" in given:
        given["adapters"] = as_before(given["adapters"])
    return {**recipe, **{name: {**_BEFORE[name], **values} for name, values in given.items()}}


def as_begun(recipe: Recipe) -> Recipe:
    """``recipe``, with what it leaves open as the run in its output has it.

    It has the skip adapters that were usual then. A run of version 0.3 reserves nothing of validation and turns no
    images, trains no baselines but those named then, and is timed as often as was usual then. With ``preset: paper`` it
    keeps what the preset gave then, and any run the micro-batches of its number of processes.
    """
    path = Path(recipe.output) / "recipe.json"
    if not path.is_file():
        return recipe
    try:
        kept, content = kept_recipe(path), read_json(path)
    except InputError:
        return recipe  # whoever claims the directory says what is wrong with it
    named = content.get("data", {}).keys() | recipe.data.model_fields_set
    before = {name: value for name, value in _DATA_BEFORE.items() if name not in named}
    recipe = recipe.replace(data=recipe.data.replace(**before), **_measured_as(recipe, kept))
    if recipe.adapters.skip_adapter is None:
        recipe = recipe.replace(adapters=recipe.adapters.replace(skip_adapter=kept.adapters.skip_adapter))
    if recipe.preset != "paper":
        return recipe
    older = "decayed" not in content.get("train", {})
    wanted = kept.train.to_dict() if older else {"gradient_accumulation": kept.train.gradient_accumulation}
    given = {name: getattr(recipe.train, name) for name in recipe.train.model_fields_set}
    return recipe.replace(train=TrainConfig.from_dict({**wanted, **given}))


def _measured_as(recipe: Recipe, kept: Recipe) -> dict[str, Any]:
    """``baselines`` and ``bench`` as a recipe names them, else as the run has them."""
    left_open = TimingConfig.model_fields.keys() - recipe.bench.model_fields_set
    bench = recipe.bench.replace(**{name: getattr(kept.bench, name) for name in left_open})
    named = "baselines" in recipe.model_fields_set
    return {"bench": bench, "baselines": recipe.baselines if named else kept.baselines}
