"""Training on a GPU: it learns, and goes on from a checkpoint as if it had not been stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from on_device import needs_cuda
from skiptune import Experiment, Plan, Record, SkipConfig, TrainConfig, Vqa, blocks_of, fit
from skiptune.training.trained_state import trained_state

pytestmark = needs_cuda


def train(
    make_model: Callable[..., Any], task: Vqa, records: list[Record], folder: Path, bf16: bool
) -> dict[str, Tensor]:
    """The trained weights after four steps with a block skipped."""
    model = make_model(SkipConfig())
    config = TrainConfig(max_steps=4, batch_size=4, save_steps=1, bf16=bf16)
    blocks = tuple(blocks_of(model))
    fit(model, Experiment(task, records[:16], training=config), Plan("vilt", blocks, blocks[1:2]), folder=folder)
    return {name: value.cpu().clone() for name, value in trained_state(model).items()}


@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bfloat16"])
def test_a_stopped_training_goes_on(
    bf16: bool, make_model: Callable[..., Any], task: Vqa, records: list[Record], tmp_path: Path
) -> None:
    start = {name: value.clone() for name, value in trained_state(make_model(SkipConfig())).items()}
    whole = train(make_model, task, records, tmp_path / "whole", bf16)
    folder = shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    shutil.rmtree(folder / "checkpoint-4")
    resumed = train(make_model, task, records, folder, bf16)
    moved = distance(whole, start)
    assert 0 < moved < float("inf")
    assert distance(resumed, whole) < 0.05 * moved  # sums on a GPU are not always in one order


def distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return float(torch.stack([(one[name] - value).float().norm() for name, value in other.items()]).norm())
