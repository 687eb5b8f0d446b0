"""Checkpoints of a training: which one it resumes from, and with how many processes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..config import TrainConfig
from ..core.distributed import processes
from ..core.errors import InputError

TRAINED = "trained.safetensors"


def examples_a_step(config: TrainConfig) -> int:
    """Examples of an optimizer step, over all processes and micro-batches."""
    return config.batch_size * config.gradient_accumulation * processes()


def save_checkpoint(folder: Path, state: dict[str, Tensor], config: TrainConfig) -> None:
    """Write trained parameters, with the metadata that :func:`newest_checkpoint` checks."""
    written = {"processes": str(processes()), "examples_a_step": str(examples_a_step(config))}
    save_file(state, folder / TRAINED, metadata=written)


def newest_checkpoint(folder: Path, config: TrainConfig) -> str | None:
    """The newest checkpoint that every process wrote completely. The Trainer's first process writes its state file
    last, the others only the state of their random generators.

    Another number of processes may resume from it, if the number of examples per step is the same.

    Raises:
        InputError: they do not.
    """
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    for path in found:
        try:
            step = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]
            load_file(path / TRAINED)
            with safe_open(path / TRAINED, framework="pt") as opened:
                written = {name: int(value) for name, value in opened.metadata().items()}
            whole = all(zipfile.is_zipfile(path / name) for name in _generator_files(written["processes"]))
        except Exception:  # an interrupted write can leave any content
            continue
        if whole and step == int(path.name.rpartition("-")[2]):
            refuse_other_batch(str(path), written["examples_a_step"], config)
            return str(path)
    return None


def refuse_other_batch(where: str, before: int, config: TrainConfig) -> None:
    """Refuse to resume a training with another number of examples per step.

    Raises:
        InputError: ``config`` and this job's processes give another number than ``before``; names the batch size that
            would do.
    """
    now, share = examples_a_step(config), config.gradient_accumulation * processes()
    if now == before:
        return
    advice = (
        f"set train.batch_size to {before // share}"
        if before % share == 0
        else f"choose train.batch_size, train.gradient_accumulation and processes so that their product is {before}"
    )
    raise InputError(
        f"{where}: trained with {before} examples a step; batch_size {config.batch_size} × gradient_accumulation "
        f"{config.gradient_accumulation} × {processes()} processes are {now}, which would change the result; "
        f"{advice}, or remove it to start over"
    )


def _generator_files(written_by: int) -> list[str]:
    """Where the Trainer keeps the state of each process's random generators."""
    return ["rng_state.pth"] if written_by == 1 else [f"rng_state_{number}.pth" for number in range(written_by)]
