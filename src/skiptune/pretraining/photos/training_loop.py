"""The training loop of ``meter-photos``: trained parameters, learning rates by elapsed time, checkpoints."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...core.files import write_atomically, write_json
from ...core.progress import make_bar
from ...core.text_files import read_json
from .heldout_scores import quick_recall
from .losses import contrast_losses, photo_losses, scene_losses
from .meter_for_pretraining import MeterForPretraining
from .photo_config import PhotoConfig
from .training_data import TrainingData

_SHOWN_OVER = 50
_STATE, _WEIGHTS, _OPTIMIZER = "state.json", "model.safetensors", "optimizer.safetensors"


def choose_trained(model: MeterForPretraining, config: PhotoConfig) -> None:
    """Freeze the convolutional trunk and its head, the embeddings and the lower layers of the text encoder."""
    roberta = model.meter.roberta
    lower = list(roberta.encoder.layer)[: config.text_layers - config.trained_text_layers]
    for frozen in (model.stem.trunk, model.stem.head, roberta.embeddings, *lower):
        frozen.requires_grad_(False)


def make_optimizer(model: MeterForPretraining, config: PhotoConfig) -> torch.optim.AdamW:
    """AdamW with three groups of parameters: ``text`` encoder, ``image`` encoder, ``fusion`` layers and heads."""
    groups: dict[str, list[torch.nn.Parameter]] = {"text": [], "image": [], "fusion": []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            text = name.startswith("meter.roberta.")
            image = name.startswith(("meter.clip.", "meter.text_projection", "meter.image_projection", "log_scale"))
            groups["text" if text else "image" if image else "fusion"].append(parameter)
    named = [{"params": parameters, "name": name} for name, parameters in groups.items()]
    return torch.optim.AdamW(named, betas=(0.9, 0.98), weight_decay=config.weight_decay)


def rates(config: PhotoConfig, done: float) -> dict[str, float]:
    """Learning rates of the groups after a fraction ``done`` of the time: warm-up and cosine decay in each stage."""
    contrast = done < config.contrast_share
    start, end = (0.0, config.contrast_share) if contrast else (config.contrast_share, 1.0)
    place = min(1.0, (done - start) / max(1e-9, end - start))
    low, high = (0.3, 1.0) if contrast else (0.02, 1.0)
    height = (low + (high - low) * (1 + math.cos(math.pi * place)) / 2) * min(1.0, (place + 1e-3) / config.warmup)
    base = config.learning_rate * height
    return {"text": config.text_rate * height, "image": base if contrast else 0.4 * base, "fusion": base}


class Training:
    """Training that resumes from its last checkpoint, ``output/checkpoint``.

    Attributes:
        step: steps done so far.
        seconds: training time so far, without measuring and saving.
        history: at every checkpoint the step, the seconds, the recent losses and ``heldout recall@10``.
    """

    def __init__(self, model: MeterForPretraining, config: PhotoConfig, data: TrainingData, output: Path) -> None:
        self.model, self.config, self.data = model, config, data
        self.folder = output / "checkpoint"
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, float]] = []
        choose_trained(model, config)
        self.optimizer = make_optimizer(model, config)
        if (self.folder / _STATE).is_file():
            self._load()

    def run(self) -> None:
        """Train until the time is over; measure and save every ``save_minutes``."""
        recent: dict[str, list[float]] = {}
        whole = 60 * self.config.minutes
        saved = self.seconds
        with make_bar() as bar:
            task = bar.add_task("photos", total=round(whole), completed=int(self.seconds), note="")
            while self.seconds < whole:
                before = time.monotonic()
                for name, value in self._step(self.seconds / whole).items():
                    recent.setdefault(name, []).append(value)
                    del recent[name][:-_SHOWN_OVER]
                self.seconds += time.monotonic() - before
                losses = {name: sum(values) / len(values) for name, values in recent.items()}
                note = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
                bar.update(task, completed=min(whole, int(self.seconds)), note=f"step {self.step}  {note}")
                if self.seconds - saved >= 60 * self.config.save_minutes or self.seconds >= whole:
                    saved = self.seconds
                    bar.console.print("  ".join(f"{k} {v:.4g}" for k, v in self._measure(losses).items()))
                    write_atomically(self.folder, self._save)

    def _measure(self, losses: dict[str, float]) -> dict[str, float]:
        """A new entry of ``history``."""
        recall = quick_recall(self.model, self.data)
        self.history.append({"step": self.step, "seconds": round(self.seconds), **losses, "heldout recall@10": recall})
        return self.history[-1]

    def _step(self, done: float) -> dict[str, float]:
        config, data = self.config, self.data
        seed = (config.seed, self.step)
        torch.manual_seed(hash(seed) % 2**63)  # false pairs are sampled alike after a resume
        self.model.train()
        self.model.stem.eval()
        rate = rates(config, done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate[group["name"]]
        with torch.autocast(self.model.device.type, torch.bfloat16):
            if done < config.contrast_share:
                batch = data.photo_batch(config.contrast_batch, seed)
                losses = contrast_losses(self.model, batch, data.photos)
            elif data.scenes is not None and self.step % config.scene_every == 0:
                losses = scene_losses(self.model, data.scene_batch(2 * config.fused, seed), data.scenes)
            else:
                batch = data.photo_batch(config.batch_size, seed)
                losses = photo_losses(self.model, batch, data.photos, config.fused)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        torch.nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.grad is not None], 1.0)
        self.optimizer.step()
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _save(self, folder: Path) -> None:
        folder.mkdir()
        save_file({name: value.contiguous() for name, value in self.model.state_dict().items()}, folder / _WEIGHTS)
        state = self.optimizer.state_dict()["state"]
        flat = {f"{number}.{key}": value for number, values in state.items() for key, value in values.items()}
        save_file(flat, folder / _OPTIMIZER)
        content = {"step": self.step, "seconds": self.seconds, "history": self.history, "config": asdict(self.config)}
        write_json(folder / _STATE, content)

    def _load(self) -> None:
        state = read_json(self.folder / _STATE)
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.model.load_state_dict(load_file(self.folder / _WEIGHTS))
        found: dict[int, dict[str, Tensor]] = {}
        for name, value in load_file(self.folder / _OPTIMIZER).items():
            number, key = name.split(".", 1)
            found.setdefault(int(number), {})[key] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": found})
