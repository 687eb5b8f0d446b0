"""The training loop of ``llava-scenes``: learning rates by elapsed time, attention in float32, the loss."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from transformers import AttentionInterface, LlavaForConditionalGeneration

from ...core.ignored_label import IGNORED
from ...core.number_types import fast_autocast
from ..timed_training import TimedTraining
from .chat_config import ChatConfig
from .chat_scores import exact_match
from .conversations import Batch, Conversations

_ATTENTION = "float32_sdpa"


def height(config: ChatConfig, done: float) -> float:
    """Learning rates as a fraction of the highest, after a fraction ``done`` of the time: warm-up, cosine decay."""
    return (0.02 + 0.98 * (1 + math.cos(math.pi * min(1.0, done))) / 2) * min(1.0, (done + 1e-3) / config.warmup)


def make_optimizer(model: LlavaForConditionalGeneration, config: ChatConfig) -> torch.optim.AdamW:
    """AdamW with two groups of parameters: the image tower, and all others."""
    tower = list(model.model.vision_tower.parameters())
    known = {id(parameter) for parameter in tower}
    others = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups = [{"params": tower, "highest": config.tower_rate}, {"params": others, "highest": config.learning_rate}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=config.weight_decay)


def attend(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: object
) -> tuple[Tensor, None]:
    """Attention in float32 on ``(batch, heads, length, width)``.

    On CPU its gradient in bfloat16 takes six times as long, more than all else together.
    """
    causal = attention_mask is None and bool(getattr(module, "is_causal", False))
    with torch.autocast(query.device.type, enabled=False):
        found = torch.nn.functional.scaled_dot_product_attention(
            query.float(), key.float(), value.float(), attn_mask=attention_mask, is_causal=causal
        )
    return found.transpose(1, 2).to(query.dtype), None


def answer_loss(model: LlavaForConditionalGeneration, batch: Batch) -> Tensor:
    """Mean cross-entropy over answer tokens; the head reads their places alone."""
    inputs = {name: value.to(model.device) for name, value in batch.inputs.items()}
    labels = batch.labels.to(model.device)
    with fast_autocast(model.device):
        states = model.model(**inputs, use_cache=False).last_hidden_state
        logits = model.lm_head(states[labels != IGNORED])
    return torch.nn.functional.cross_entropy(logits.float(), labels[labels != IGNORED])


class ChatTraining(TimedTraining):
    """Training on conversations; exact match by kind of question is measured at every checkpoint."""

    model: LlavaForConditionalGeneration

    def __init__(
        self,
        model: LlavaForConditionalGeneration,
        config: ChatConfig,
        data: Conversations,
        heldout: dict[str, list[Batch]],
        output: Path,
    ) -> None:
        self.config, self.data, self.heldout = config, data, heldout
        AttentionInterface.register(_ATTENTION, attend)
        model.set_attn_implementation(_ATTENTION)
        super().__init__(model, make_optimizer(model, config), config.minutes, config.save_minutes, output)

    def measure(self) -> dict[str, float]:
        return exact_match(self.model, self.heldout)

    def settings(self) -> dict[str, object]:
        return asdict(self.config)

    def losses(self, done: float) -> dict[str, Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = group["highest"] * height(self.config, done)
        return {"loss": answer_loss(self.model, self.data.batch(self.step, done))}
