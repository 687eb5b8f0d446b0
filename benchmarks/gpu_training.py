"""A training step on the device, for ``benchmarks/gpu.py``: forward, backward and AdamW with adapters in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import skiptune as st
from gpu_latency import peak_during
from gpu_models import ANSWERS, Case, inputs_for, made, third
from gpu_record import why
from skiptune.costs.turns import seconds_of

WARMUP, MOST, LEAST = 2, 20, 3


class Step:
    """A step of one model, whichever blocks it skips.

    Args:
        case: the model.
        precision: ``float32``, or ``bfloat16`` for autocast.
        batch: records.
        device: where.
    """

    def __init__(self, case: Case, precision: str, batch: int, device: str) -> None:
        self.device = torch.device(device)
        self.model: Any = st.insert(made(case, torch.float32, device), st.SkipConfig(scope=case.scope)).train()
        self.blocks = tuple(st.blocks_of(self.model))
        self.inputs: Mapping[str, Tensor] = {
            **inputs_for(case, self.model, batch),
            "labels": torch.rand(batch, ANSWERS, device=device),
        }
        self.optimizer = torch.optim.AdamW([each for each in self.model.parameters() if each.requires_grad])
        self.mixed = precision == "bfloat16"

    def __call__(self) -> None:
        precision = torch.autocast(self.device.type, torch.bfloat16) if self.mixed else nullcontext()
        with precision:
            loss = self.model(**self.inputs).loss
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def timed_steps(step: Step, seconds: float) -> tuple[dict[str, list[float]], dict[str, int | None], dict[str, str]]:
    """Seconds of a step with nothing skipped and with a third of the blocks, in turns; peak bytes; and what failed.

    Args:
        step: it.
        seconds: after which no further round begins, once there are three.
    """
    sets = {"whole": (), "third skipped": third(step.blocks)}
    taken: dict[str, list[float]] = {name: [] for name in sets}
    peaks, failed = dict[str, int | None](), dict[str, str]()
    on_gpu, ends = step.device.type == "cuda", time.perf_counter() + seconds
    for turn in range(WARMUP + MOST):
        for name, skipped in sets.items() if turn % 2 == 0 else reversed(sets.items()):
            if name in failed:
                continue
            st.choose(step.model, skipped)
            try:
                took, peak = peak_during(partial(seconds_of, step, on_gpu), on_gpu)
            except Exception as error:
                failed[name] = why(error)
                step.optimizer.zero_grad(set_to_none=True)
                continue
            if turn >= WARMUP:
                taken[name].append(took)
                peaks[name] = peak
        if turn >= WARMUP + LEAST - 1 and time.perf_counter() > ends:
            break
    return {name: own for name, own in taken.items() if name not in failed}, peaks, failed


def trained(model: nn.Module) -> int:
    """Numbers that are trained."""
    return sum(each.numel() for each in model.parameters() if each.requires_grad)
