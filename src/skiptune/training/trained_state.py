"""Copy, read and restore the trained parameters of a model."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..core.digests import check_recorded, write_recorded
from ..core.errors import InputError
from ..core.state_dicts import refuse_misfit, shapes_of


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the trainable parameters by name."""
    return {name: p.detach().clone().contiguous() for name, p in model.named_parameters() if p.requires_grad}


def load_trained(model: nn.Module, state: dict[str, Tensor], source: str = "trained parameters") -> None:
    """Copy ``state``, which came from ``source``, into the trainable parameters; all of it or nothing.

    Raises:
        InputError: the names and sizes are not exactly those of the model's trainable parameters, or a value is not
            finite.
    """
    load_tensors({name: p for name, p in model.named_parameters() if p.requires_grad}, state, source)


@torch.no_grad()
def load_tensors(own: dict[str, nn.Parameter], state: dict[str, Tensor], source: str) -> None:
    """As :func:`load_trained`, into the parameters ``own``."""
    refuse_misfit(f"{source}: does not fit this model", shapes_of(own), shapes_of(state))
    for name, value in state.items():
        if not bool(value.isfinite().all()):
            raise InputError(f"{source}: {name} is not {tuple(value.shape)} finite numbers")
    for name, parameter in own.items():
        parameter.copy_(state[name])


def save_trained(path: Path, state: dict[str, Tensor]) -> None:
    """Write tensors as :func:`trained_state` gives them, with the file's digest in the directory's list."""
    write_recorded(path, lambda temporary: save_file(state, temporary))


def read_trained(path: Path) -> dict[str, Tensor]:
    """Tensors by name, as :func:`trained_state` gave them.

    Raises:
        InputError: the file is missing, truncated, not a safetensors file, or not as it was written.
    """
    try:
        state: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({error}); truncated or edited? Remove it to train again") from None
    check_recorded(path, "Remove it to train again.")
    return state
