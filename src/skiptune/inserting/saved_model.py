"""A model with adapters as its ``save_pretrained`` writes it: what is in memory, to be trained further.

The weights are in the files that transformers writes, and that its ``Trainer`` reads when a training goes on. What was
inserted stands in ``config.json``, under a ``model_type`` of its own. A class of transformers that is given the
directory all the same looks for its own configuration inside, finds it, and stops at ``transformers_weights`` there,
which names no file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field
from transformers import __version__ as transformers_version

from ..config.skip_config import KeptSkipConfig
from ..core.files import write_json
from ..core.model_types import ADAPTED
from ..core.process import versions
from ..core.text_files import says
from ..core.validated import Several, Validated
from ..families.registry import family_of
from ..plan import TokenSchedule
from ..version import __version__
from .lora import is_of_peft
from .selection import chosen_tokens

CONFIG: Final = "config.json"
MODEL_TYPE: Final = ADAPTED
_ENTRY = "transformers_weights"
#: What transformers quotes when it is asked to read the directory without SkipTune.
_NO_FILE = {_ENTRY: "none: blocks are skipped and adapted here; read this directory with skiptune.load"}


class SavedModel(Validated):
    """``config.json`` of a directory that ``save_pretrained`` of a model with adapters wrote.

    Attributes:
        model_type: marks such a directory.
        skiptune_version, transformers_version, versions: of SkipTune and the libraries that wrote it.
        architecture: the name of the model's own class.
        base: name, path or hub id of the model that adapters were inserted into; empty: not known.
        base_config: transformers' configuration of it, and a sentence in the place of the name of a file of weights.
        skip_config: which adapters were inserted.
        skipped: names of the blocks that are skipped.
        removed: names of those of them whose weights are gone.
        tokens: where image tokens become fewer; ``None``: nowhere.
        pruned: whether the skip adapters of the other blocks are gone, too.
        merged: whether LoRA is merged into the weights.
        folded: whether skip adapters are folded into the weights.
    """

    model_config = ConfigDict(extra="allow")

    model_type: Literal["skiptune-adapted"] = MODEL_TYPE
    skiptune_version: str = ""
    transformers_version: str = ""
    versions: dict[str, str] = Field(default={})
    architecture: str
    base: str = ""
    base_config: dict[str, Any]
    skip_config: KeptSkipConfig
    skipped: Several[str]
    removed: Several[str]
    pruned: bool
    merged: bool
    folded: bool = False
    tokens: TokenSchedule | None = None

    @property
    def config_fields(self) -> dict[str, Any]:
        """``base_config`` without the sentence."""
        return {name: value for name, value in self.base_config.items() if name != _ENTRY}


def write_saved(model: Any, folder: Path) -> None:
    """Write ``config.json`` for a model with adapters whose weights are in ``folder``."""
    blocks = family_of(model).blocks(model)
    lora = any(is_of_peft(name) for name, _ in model.named_parameters())
    content = SavedModel(
        skiptune_version=__version__,
        transformers_version=transformers_version,
        versions=versions(),
        architecture=model.plain_class.__name__,
        base=str(getattr(model, "name_or_path", "")),
        base_config={**model.config.to_dict(), **_NO_FILE},
        skip_config=model.skip_config,
        skipped=tuple(name for name, block in blocks.items() if block.skipped),
        removed=tuple(name for name, block in blocks.items() if block.removed),
        pruned=all(block.skip_adapter is None for block in blocks.values() if not block.removed),
        merged=model.skip_config.block_adapter == "lora" and not lora,
        folded=model.skip_config.skip_adapter == "folded"
        and all(block.skip_adapter is None for block in blocks.values()),
        tokens=chosen_tokens(model),
    )
    write_json(folder / CONFIG, content.to_dict())


def is_saved(folder: Path) -> bool:
    """Whether ``save_pretrained`` of a model with adapters wrote the directory."""
    return says(folder / CONFIG, "model_type", MODEL_TYPE)
