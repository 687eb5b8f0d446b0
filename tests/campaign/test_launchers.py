"""Runs by launchers of several processes: as those of processes that are told the same by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from interrupted import left_behind

from campaign_form import LONG
from conftest import write_recipe
from own_process import command
from several_processes import free_port, told_ranks

pytestmark = [
    pytest.mark.skipif(not LONG, reason="part of the long form of the campaign"),
    pytest.mark.timeout(1200),
]
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port")
ACCELERATE = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
              "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port")  # fmt: skip


def launch(launcher: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    for _ in range(3):  # another test may take a free port before the launcher does
        started = [sys.executable, *launcher, free_port(), "-m", "skiptune.cli", *arguments]
        done = subprocess.run(started, capture_output=True, text=True, timeout=600)
        if "EADDRINUSE" not in done.stderr:
            break
    return done


def recipe(folder: Path, name: str, data_folder: Path, **changes: Any) -> str:
    changes = {"train": {"batch_size": 4}, "baselines": ["random"], "output": str(folder / name), **changes}
    return str(write_recipe(folder / f"{name}.yaml", data_folder, **changes))


def test_launched_runs_are_those_of_processes_started_by_hand(data_folder: Path, tmp_path: Path) -> None:
    both = [command("run", recipe(tmp_path, "hand", data_folder), environment=own) for own in told_ranks(2)]
    assert [process.wait() for process in both] == [0, 0]
    expected = left_behind(tmp_path / "hand")
    for name, launcher in {"torchrun": TORCHRUN, "accelerate": ACCELERATE}.items():
        done = launch(launcher, "run", recipe(tmp_path, name, data_folder))
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("report card") == 1
        found = left_behind(tmp_path / name)
        assert [part for part, value in expected.items() if found[part] != value] == []


def test_a_mistake_is_said_once(data_folder: Path, tmp_path: Path) -> None:
    done = launch(TORCHRUN, "run", recipe(tmp_path, "wrong", data_folder, budget={"num_skip": 4}))
    assert done.returncode != 0
    assert done.stderr.count("error: ") == 1
    assert "at least one must be kept" in done.stderr
