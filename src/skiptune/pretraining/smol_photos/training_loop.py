"""Train the projector and LoRA of ``smol-photos``."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...core.ignored_label import IGNORED
from ...core.number_types import fast_autocast, fast_type
from ..timed_training import TimedTraining
from .photo_texts import Batch
from .photographs import Photographs, beginnings
from .smol_config import LINEAR, SmolConfig


def prepare(model: Any, config: SmolConfig) -> None:
    """Add LoRA to the language model. Only it and the projector are trained, in float32."""
    lora = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules=list(LINEAR))
    torch.manual_seed(config.seed)
    inject_adapter_in_model(lora, model.model.language_model)
    model.model.language_model.set_attn_implementation("eager")  # with a mask, fused attention is slow backwards
    for name, parameter in model.named_parameters():
        learns = "lora_" in name or "projector" in name
        parameter.requires_grad_(learns)
        parameter.data = parameter.data.to(torch.float32 if learns else fast_type())


def learnt_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """What is trained, by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def embedded(model: Any, ids: Tensor, features: Tensor) -> Tensor:
    """What the language model reads, ``(photos, tokens, width)``: words, and features in the places of image tokens."""
    words: Tensor = model.get_input_embeddings()(ids)
    image = model.model.multi_modal_projector(features).to(words)
    places = (ids == model.config.image_token_id)[..., None].expand_as(words)
    return words.masked_scatter(places, image)


def token_losses(model: Any, features: Tensor, batch: Batch) -> Tensor:
    """The loss of every caption's tokens, ``(tokens that are predicted,)``."""
    with fast_autocast():
        words = embedded(model, batch.ids, features)
        hidden = model.model.language_model(
            inputs_embeds=words,
            attention_mask=torch.zeros(batch.seen.shape, dtype=words.dtype).masked_fill(~batch.seen, -1e4),
            position_ids=batch.positions,
            use_cache=False,
        )[0]
        wanted = batch.labels != IGNORED
        logits = model.lm_head(hidden[wanted])
    return cross_entropy(logits.float(), batch.labels[wanted], reduction="none")


class CaptionTraining(TimedTraining):
    """Training on photographs with all their captions, in a new order every pass."""

    def __init__(
        self, model: Any, config: SmolConfig, tokenizer: Any, photos: Photographs, heldout: Photographs, output: Path
    ) -> None:
        self.config, self.photos, self.heldout = config, photos, heldout
        self.fill = tokenizer.pad_token_id
        self.starts = beginnings(tokenizer, photos.features.shape[2])
        rates = {"lora_": config.lora_rate, "projector": config.projector_rate}
        trained = learnt_parameters(model)
        groups = [
            {"params": [p for name, p in trained.items() if part in name], "rate": rate} for part, rate in rates.items()
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        super().__init__(model, optimizer, config.minutes, config.save_minutes, output)

    def clock(self) -> float:
        """Of the processor, so that a busy machine does not make the training a shorter one."""
        return time.process_time() / torch.get_num_threads()

    def losses(self, done: float) -> dict[str, Tensor]:
        config, rng = self.config, np.random.default_rng((self.config.seed, self.step))
        height = min(1.0, (done + 1e-3) / config.warmup) * (1 + math.cos(math.pi * done)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * height
        rows = self._rows()
        starts = [self.starts[int(rng.integers(len(self.starts)))] for _ in rows]
        views = rng.integers(self.photos.features.shape[1], size=len(rows)).tolist()
        batch = self.photos.batch(rows, starts, self.fill)
        return {"loss": token_losses(self.model, self.photos.take(rows, views), batch).mean()}

    def _rows(self) -> list[int]:
        """The photographs of the next step."""
        size = min(self.config.batch_size, len(self.photos))
        taken, place = divmod(self.step, len(self.photos) // size)
        order = np.random.default_rng((self.config.seed, taken, 7)).permutation(len(self.photos))
        return [int(row) for row in order[place * size :][:size]]

    def measure(self) -> dict[str, float]:
        right, wrong = perplexities(self.model, self.heldout, self.starts[0], self.fill, self.config.heldout)
        return {"perplexity": right, "of a wrong photograph": wrong}

    def settings(self) -> Mapping[str, object]:
        return asdict(self.config)

    def kept(self) -> dict[str, Tensor]:
        return {name: p.detach().contiguous() for name, p in learnt_parameters(self.model).items()}


@torch.inference_mode()
def perplexities(
    model: Any, heldout: Photographs, start: list[int], fill: int, count: int, size: int = 16
) -> tuple[float, float]:
    """Perplexity of the captions of the first ``count`` held-out photographs, by token: with their own photograph, and
    with another one (that of the next photograph)."""
    model.eval()
    count = min(count, len(heldout))
    sums, tokens = [0.0, 0.0], 0
    for begin in range(0, count, size):
        rows = list(range(begin, min(begin + size, count)))
        batch = heldout.batch(rows, [start] * len(rows), fill)
        tokens += int((batch.labels != IGNORED).sum())
        for shift in (0, 1):
            features = heldout.take([(row + shift) % count for row in rows], [0] * len(rows))
            sums[shift] += float(token_losses(model, features, batch).sum())
    return math.exp(sums[0] / tokens), math.exp(sums[1] / tokens)
