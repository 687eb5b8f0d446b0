"""The training loop of the photo model: losses of a step, learning rates that follow the clock, checkpoints."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from ...core.files import read_json, write_atomically, write_json
from ...core.progress import make_bar
from .batches import Batch
from .meter_for_pretraining import MeterForPretraining
from .photo_config import PhotoConfig
from .training_data import Material
from .trunk_features import Features

_SHOWN_OVER = 50
#: Of the similarity's logits, for choosing false pairs: 0 would choose at random, 1 the hardest from the start.
_HARD = 0.5
_STATE, _WEIGHTS, _OPTIMIZER = "state.json", "model.safetensors", "optimizer.safetensors"


def choose_trained(model: MeterForPretraining, config: PhotoConfig) -> None:
    """Freeze the trunk and its head, and of the text encoder the embeddings and lower layers."""
    roberta = model.meter.roberta
    lower = list(roberta.encoder.layer)[: config.text_layers - config.trained_text_layers]
    for frozen in (model.stem.trunk, model.stem.head, roberta.embeddings, *lower):
        frozen.requires_grad_(False)


def make_optimizer(model: MeterForPretraining, config: PhotoConfig) -> torch.optim.AdamW:
    """Three groups of weights with rates of their own: ``text`` encoder, ``image`` encoder, ``fusion`` and heads."""
    groups: dict[str, list[torch.nn.Parameter]] = {"text": [], "image": [], "fusion": []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            text = name.startswith("meter.roberta.")
            image = name.startswith(("meter.clip.", "meter.text_projection", "meter.image_projection", "log_scale"))
            groups["text" if text else "image" if image else "fusion"].append(parameter)
    named = [{"params": parameters, "name": name} for name, parameters in groups.items()]
    return torch.optim.AdamW(named, betas=(0.9, 0.98), weight_decay=config.weight_decay)


def rates(config: PhotoConfig, done: float) -> dict[str, float]:
    """Learning rates of the groups when a share ``done`` of the time is over: a warm-up and a cosine a stage."""
    contrast = done < config.contrast_share
    start, end = (0.0, config.contrast_share) if contrast else (config.contrast_share, 1.0)
    place = min(1.0, (done - start) / max(1e-9, end - start))
    low, high = (0.3, 1.0) if contrast else (0.02, 1.0)
    height = (low + (high - low) * (1 + math.cos(math.pi * place)) / 2) * min(1.0, (place + 1e-3) / config.warmup)
    base = config.learning_rate * height
    return {"text": config.text_rate * height, "image": base if contrast else 0.4 * base, "fusion": base}


def contrast_losses(model: MeterForPretraining, batch: Batch, photos: Features) -> dict[str, Tensor]:
    """Only the alignment of the two encoders."""
    ids, mask, _, _ = batch.texts(model.device)
    image = model.encode_image(photos.take(batch.pictures, batch.views, model.device))
    text = model.meter.encode_text(ids, mask)
    return {"contrast": model.contrast(model.similarity(text, mask, image))}


def photo_losses(model: MeterForPretraining, batch: Batch, photos: Features, fused: int) -> dict[str, Tensor]:
    """All three objectives; false pairs are ones that the encoders take for likely.

    The contrast is over all rows, matching over the first ``fused`` ones: half of them get another text, the others
    another picture. Words are masked in the last ``fused`` rows.
    """
    ids, mask, hidden, labels = batch.texts(model.device)
    image = model.encode_image(photos.take(batch.pictures, batch.views, model.device))
    text = model.meter.encode_text(ids, mask)
    similarity = model.similarity(text, mask, image)
    fused = min(fused, len(ids))
    half = fused // 2
    with torch.no_grad():
        own = torch.eye(len(ids), dtype=torch.bool, device=model.device)
        likely = (_HARD * similarity.detach()).masked_fill(own, -torch.inf)
        other_text = torch.multinomial(likely[:half].softmax(1), 1)[:, 0]
        other_image = torch.multinomial(likely.T[half:fused].softmax(1), 1)[:, 0]
    rows = torch.arange(fused, device=model.device)
    texts = torch.cat((rows, other_text, rows[half:]))
    images = torch.cat((rows, rows[:half], other_image))
    logits = model.match(text[texts], mask[texts], image[images])
    matches = torch.cat((torch.ones_like(rows), torch.zeros_like(rows)))
    return {
        "contrast": model.contrast(similarity),
        "matching": cross_entropy(logits, matches),
        "words": _words(model, hidden[-fused:], mask[-fused:], image[-fused:], labels[-fused:]),
    }


def scene_losses(model: MeterForPretraining, batch: Batch, scenes: Features) -> dict[str, Tensor]:
    """Matching of statements that come with their truth, and masked words."""
    ids, mask, hidden, labels = batch.texts(model.device)
    image = model.encode_image(scenes.take(batch.pictures, batch.views, model.device))
    true = batch.matches.to(model.device)
    logits = model.match(model.meter.encode_text(ids, mask), mask, image)
    losses, rows = {"scene matching": cross_entropy(logits, true)}, true.bool()
    if bool(rows.any()):
        losses["scene words"] = _words(model, hidden[rows], mask[rows], image[rows], labels[rows])
    return losses


def _words(model: MeterForPretraining, hidden: Tensor, mask: Tensor, image: Tensor, labels: Tensor) -> Tensor:
    guesses, right = model.name_words(hidden, mask, image, labels)
    return cross_entropy(guesses, right) if len(right) else guesses.sum()


class Training:
    """A training that goes on from its last checkpoint, ``output/checkpoint``."""

    def __init__(self, model: MeterForPretraining, config: PhotoConfig, material: Material, output: Path) -> None:
        self.model, self.config, self.material = model, config, material
        self.folder = output / "checkpoint"
        self.step, self.seconds = 0, 0.0
        self.history: list[dict[str, Any]] = []
        choose_trained(model, config)
        self.optimizer = make_optimizer(model, config)
        if (self.folder / _STATE).is_file():
            self._load()

    def run(self) -> None:
        """Train until the time is over; what is measured on held-out photos at every checkpoint goes to ``history``."""
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
                note = "  ".join(f"{name} {sum(values) / len(values):.3f}" for name, values in recent.items())
                bar.update(task, completed=min(whole, int(self.seconds)), note=f"step {self.step}  {note}")
                if self.seconds - saved >= 60 * self.config.save_minutes or self.seconds >= whole:
                    saved = self.seconds
                    losses = {name: sum(values) / len(values) for name, values in recent.items()}
                    now = {
                        "step": self.step,
                        "seconds": round(self.seconds),
                        **losses,
                        **self.material.glance(self.model),
                    }
                    self.history.append(now)
                    bar.console.print("  ".join(f"{k} {v:.4g}" for k, v in now.items()))
                    write_atomically(self.folder, self._save)

    def _step(self, done: float) -> dict[str, float]:
        config, material = self.config, self.material
        seed = (config.seed, self.step)
        torch.manual_seed(hash(seed) % 2**63)  # the choice of false pairs: the same when gone on with
        self.model.train()
        self.model.stem.eval()
        rate = rates(config, done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate[group["name"]]
        with torch.autocast(self.model.device.type, torch.bfloat16):
            if done < config.contrast_share:
                batch = material.photo_batch(config.contrast_batch, seed)
                losses = contrast_losses(self.model, batch, material.photos)
            elif material.scenes is not None and self.step % config.scene_every == 0:
                losses = scene_losses(self.model, material.scene_batch(2 * config.fused, seed), material.scenes)
            else:
                batch = material.photo_batch(config.batch_size, seed)
                losses = photo_losses(self.model, batch, material.photos, config.fused)
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
