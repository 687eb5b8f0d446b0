"""Read checkpoint files of the original code without running any code in them.

A ``.ckpt`` is a pickle, and reading a pickle can call any function. Only tensors and plain containers are read; classes
of Lightning's callbacks, which are keys in its checkpoints, are read as names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..core.errors import InputError
from ..models.weight_files import read_pickle, refuse_pointer

#: The configuration of a run of the original code, with any fields.
Settings: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file.

    Attributes:
        state: original names → tensors.
        settings: the configuration of the run that wrote it, which Lightning keeps beside; empty if there is none.
    """

    state: dict[str, Tensor]
    settings: Settings


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a Lightning checkpoint, a plain state dictionary or a ``.safetensors`` file, mapped into memory if possible.

    Raises:
        InputError: no such file, truncated or another kind of file, a pickle with anything else in it than tensors and
            plain containers, or no state dictionary in it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: " + ("a directory; name the file inside it" if path.is_dir() else "no such file"))
    content = _read_safetensors(path) if path.suffix == ".safetensors" else read_pickle(path)
    lightning = isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping)
    state = content["state_dict"] if lightning else content
    if not isinstance(state, Mapping) or not state:
        raise InputError(f"{path}: no weights in it; expected a state dictionary or one under 'state_dict'")
    odd = [str(name) for name, value in state.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if odd:
        raise InputError(f"{path}: not a state dictionary, and none under 'state_dict'; no tensors: {', '.join(odd)}")
    return Checkpoint(dict(state), _settings(content) if lightning else {})


def _settings(content: Mapping[str, object]) -> Settings:
    """The run's configuration: Lightning's hyper-parameters, or their entry ``config``."""
    found = content.get("hyper_parameters")
    if isinstance(found, Mapping) and isinstance(found.get("config"), Mapping):
        found = found["config"]
    return dict(found) if isinstance(found, Mapping) else {}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    refuse_pointer(path)
    try:
        state: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file, or truncated ({error})") from None
    return state
