"""A training loop for a given time: learning rates follow the clock, and it resumes from its last checkpoint."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..core.files import write_atomically, write_json
from ..core.progress import make_bar
from ..core.text_files import read_json
from .finished import refuse_other

_SHOWN_OVER = 50
#: Settings that may change when a training goes on.
_TIMES = ("minutes", "save_minutes")
_STATE, _WEIGHTS, _OPTIMIZER = "state.json", "model.safetensors", "optimizer.safetensors"


class TimedTraining(ABC):
    """Steps of a subclass until the time is over.

    Attributes:
        model, optimizer: what is trained, and how.
        minutes, save_minutes: of training in total, and between checkpoints.
        step: steps done so far.
        seconds: training time so far, without measuring and saving.
        history: at every checkpoint the step, the seconds, the recent losses and what the subclass measures.

    Raises:
        InputError: there is a checkpoint of a training with other settings; more or less time is none.
    """

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, minutes: float, save_minutes: float, output: Path
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self.minutes, self.save_minutes = minutes, save_minutes
        self.folder = output / "checkpoint"
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []
        if (self.folder / _STATE).is_file():
            self._load()

    def clock(self) -> float:
        """Seconds that pass while it trains."""
        return time.monotonic()

    @abstractmethod
    def losses(self, done: float) -> dict[str, Tensor]:
        """The losses of the next step, by name, after a fraction ``done`` of the time; sets the learning rates."""

    @abstractmethod
    def measure(self) -> dict[str, float]:
        """Scores on held-out data, by name."""

    @abstractmethod
    def settings(self) -> Mapping[str, object]:
        """The configuration, written beside a checkpoint. A training goes on with the same."""

    def kept(self) -> dict[str, Tensor]:
        """The weights that a checkpoint holds: all of them; those that are never trained may be left out."""
        once = {name for name, _ in (*self.model.named_parameters(), *self.model.named_buffers())}  # tied weights once
        return {name: value.contiguous() for name, value in self.model.state_dict().items() if name in once}

    def run(self, name: str) -> None:
        """Train until the time is over; measure and save every ``save_minutes``."""
        recent: dict[str, list[float]] = {}
        whole, saved = 60 * self.minutes, self.seconds
        with make_bar() as bar:
            task = bar.add_task(name, total=round(whole), completed=int(self.seconds), note="")
            while self.seconds < whole:
                before = self.clock()
                for loss, value in self._step(self.seconds / whole).items():
                    recent[loss] = [*recent.get(loss, ()), value][-_SHOWN_OVER:]
                self.seconds += self.clock() - before
                means = {loss: sum(values) / len(values) for loss, values in recent.items()}
                note = "  ".join(f"{loss} {value:.3f}" for loss, value in means.items())
                bar.update(task, completed=min(whole, int(self.seconds)), note=f"step {self.step}  {note}")
                if self.seconds - saved >= 60 * self.save_minutes or self.seconds >= whole:
                    saved = self.seconds
                    found = {"step": self.step, "seconds": round(self.seconds), **means, **self.measure()}
                    self.history.append(found)
                    bar.console.print("  ".join(f"{key} {value:.4g}" for key, value in found.items()))
                    write_atomically(self.folder, self._save)

    def _step(self, done: float) -> dict[str, float]:
        self.model.train()
        losses = self.losses(done)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        torch.nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.grad is not None], 1.0)
        self.optimizer.step()
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _save(self, folder: Path) -> None:
        folder.mkdir()
        save_file(self.kept(), folder / _WEIGHTS)
        state = self.optimizer.state_dict()["state"]
        flat = {f"{number}.{key}": value for number, values in state.items() for key, value in values.items()}
        save_file(flat, folder / _OPTIMIZER)
        content = {"step": self.step, "seconds": self.seconds, "history": self.history, "config": self.settings()}
        write_json(folder / _STATE, content)

    def _load(self) -> None:
        state = read_json(self.folder / _STATE)
        asked = {name: value for name, value in self.settings().items() if name not in _TIMES}
        refuse_other(self.folder, state["config"], asked)
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.model.load_state_dict(load_file(self.folder / _WEIGHTS), strict=False)
        found: dict[int, dict[str, Tensor]] = {}
        for name, value in load_file(self.folder / _OPTIMIZER).items():
            number, key = name.split(".", 1)
            found.setdefault(int(number), {})[key] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": found})
