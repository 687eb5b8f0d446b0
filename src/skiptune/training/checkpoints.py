"""Checkpoints of a training: which one it resumes from, and with how many processes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..config import TrainConfig
from ..core.digests import SUMS, damaged_file, record_folder
from ..core.distributed import add_up, processes, rank
from ..core.errors import InputError
from ..core.files import flush_file, telling_of
from ..core.progress import say_once
from ..core.temporaries import remove

TRAINED = "trained.safetensors"
_SUBNETWORK = "subnetwork"
_BEFORE = "; the checkpoints before are unchanged"


def examples_a_step(config: TrainConfig) -> int:
    """Examples of an optimizer step, over all processes and micro-batches."""
    return config.batch_size * config.gradient_accumulation * processes()


def save_checkpoint(folder: Path, state: dict[str, Tensor], config: TrainConfig, subnetwork: str = "") -> None:
    """Write trained parameters, with the metadata that :func:`newest_checkpoint` checks.

    Args:
        folder: the checkpoint's.
        state: trained parameters by name.
        config: says how many examples a step has.
        subnetwork: what is trained, in words; empty: it changes from step to step.
    """
    written = {"processes": str(processes()), "examples_a_step": str(examples_a_step(config))}
    if subnetwork:
        written[_SUBNETWORK] = subnetwork
    with telling_of(folder / TRAINED, _BEFORE):
        save_file(state, folder / TRAINED, metadata=written)


@contextmanager
def whole_checkpoint(folder: Path) -> Iterator[None]:
    """Context in which all processes write their files of a checkpoint; ends with a digest of every file.

    Until then the list of digests is empty, which marks the checkpoint as not whole.

    Raises:
        RunError: the disk is full or not writable; names the file. The checkpoints before are still there.
    """
    first = rank() == 0
    try:
        if first:
            remove(folder)
            folder.mkdir(parents=True)
            (folder / SUMS).touch()
        add_up([1.0])  # nobody writes before the directory is new
        yield
        add_up([1.0])  # all have written
        if first:
            for path in folder.iterdir():
                flush_file(path)
            record_folder(folder)
    except Exception as error:
        files = [path for path in folder.iterdir() if path.name != SUMS] if folder.is_dir() else []
        written = max(files, key=lambda path: path.stat().st_mtime_ns, default=folder)
        if first:
            remove(folder)
        with telling_of(written, _BEFORE):
            raise error


def newest_checkpoint(folder: Path, config: TrainConfig, subnetwork: str = "") -> str | None:
    """The newest checkpoint that every process wrote completely and that is as it was written.

    Another number of processes may resume from it, if the number of examples per step is the same. Damaged ones are
    named, and the one before is taken.

    Raises:
        InputError: the number of examples per step or the subnetwork is another, or all checkpoints are damaged.
    """
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    damaged: list[Path] = []
    for path in found:
        listed = (path / SUMS).is_file()
        if listed and (path / SUMS).stat().st_size > 0 and (file := damaged_file(path)) is not None:
            damaged.append(file)
        elif (written := _metadata(path, listed)) is not None:
            for file in damaged:
                say_once(f"{file}: differs from what was written (SHA-256); going on from {path.name} instead")
            refuse_other_batch(str(path), int(written["examples_a_step"]), config)
            _refuse_other_subnetwork(path, written.get(_SUBNETWORK), subnetwork)
            return str(path)
    if damaged:
        raise InputError(
            f"{damaged[0]}: differs from what was written (SHA-256); edited or damaged? "
            f"Remove {folder} to start this training over."
        )
    return None


def has_checkpoint(folder: Path) -> bool:
    """Whether a training has left any checkpoint there."""
    return any(folder.glob("checkpoint-*"))


def began_with_search(checkpoint: str) -> bool:
    """Whether the training that wrote a checkpoint began with the steps of a search, whose state is then there."""
    state = json.loads((Path(checkpoint) / "trainer_state.json").read_text(encoding="utf-8"))
    entries = (entry for found in state["stateful_callbacks"].values() for entry in _listed(found))
    return any("rounds" in entry.get("attributes", {}) for entry in entries)


def _listed(found: Any) -> list[dict[str, Any]]:
    """The states of several callbacks of one class, or of one."""
    return found if isinstance(found, list) else [found]


def processes_of(checkpoint: str) -> int:
    """How many processes wrote a checkpoint."""
    with safe_open(Path(checkpoint) / TRAINED, framework="pt") as opened:
        return int(opened.metadata()["processes"])


def _metadata(path: Path, listed: bool) -> dict[str, str] | None:
    """What is written beside the trained parameters of a whole checkpoint; ``None``: it is not whole.

    One of a version up to 0.3 has no list of digests. The Trainer's first process writes its state file last, the
    others only the state of their random generators.
    """
    try:
        step = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]
        load_file(path / TRAINED)
        with safe_open(path / TRAINED, framework="pt") as opened:
            written = dict[str, str](opened.metadata())
        whole = all(zipfile.is_zipfile(path / name) for name in _generator_files(int(written["processes"])))
        unfinished = listed and (path / SUMS).stat().st_size == 0
    except Exception:  # an interrupted write can leave any content
        return None
    return written if whole and not unfinished and step == int(path.name.rpartition("-")[2]) else None


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


def _refuse_other_subnetwork(path: Path, before: str | None, now: str) -> None:
    """Refuse to go on with other blocks or tokens. After a search, whose checkpoints name none, any may go on.

    Raises:
        InputError: another subnetwork was trained there.
    """
    if before and now and before != now:
        raise InputError(
            f"{path}: trained with another plan ({before}) than the one given ({now}); give another folder, or remove "
            f"{path.parent} to start over"
        )


def _generator_files(written_by: int) -> list[str]:
    """Where the Trainer keeps the state of each process's random generators."""
    return ["rng_state.pth"] if written_by == 1 else [f"rng_state_{number}.pth" for number in range(written_by)]
