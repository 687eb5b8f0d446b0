"""The training loop of ``meter-photos``: trained parameters, learning rates and losses by elapsed time."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from ...core.number_types import fast_autocast
from ..timed_training import TimedTraining
from .heldout_scores import quick_recall
from .losses import contrast_losses, photo_losses, scene_losses
from .meter_for_pretraining import MeterForPretraining
from .photo_config import PhotoConfig
from .training_data import TrainingData


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


class Training(TimedTraining):
    """Training on photographs and scenes; ``heldout recall@10`` is measured at every checkpoint."""

    model: MeterForPretraining

    def __init__(self, model: MeterForPretraining, config: PhotoConfig, data: TrainingData, output: Path) -> None:
        self.config, self.data = config, data
        choose_trained(model, config)
        super().__init__(model, make_optimizer(model, config), config.minutes, config.save_minutes, output)

    def measure(self) -> dict[str, float]:
        return {"heldout recall@10": quick_recall(self.model, self.data)}

    def settings(self) -> dict[str, object]:
        return asdict(self.config)

    def losses(self, done: float) -> dict[str, Tensor]:
        config, data = self.config, self.data
        seed = (config.seed, self.step)
        torch.manual_seed(hash(seed) % 2**63)  # false pairs are sampled alike after a resume
        self.model.stem.eval()
        rate = rates(config, done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate[group["name"]]
        with fast_autocast(self.model.device):
            if done < config.contrast_share:
                batch = data.photo_batch(config.contrast_batch, seed)
                return contrast_losses(self.model, batch, data.photos)
            if data.scenes is not None and self.step % config.scene_every == 0:
                return scene_losses(self.model, data.scene_batch(2 * config.fused, seed), data.scenes)
            return photo_losses(self.model, data.photo_batch(config.batch_size, seed), data.photos, config.fused)
