"""Share of held-out questions answered right, by kind."""

from __future__ import annotations

import random

import torch
from transformers import LlavaForConditionalGeneration

from ...core.ignored_label import IGNORED
from ...core.number_types import fast_autocast
from ..scenes.scene import Style
from .chat_config import ChatConfig
from .conversations import Batch, Encoder, Scenes, collate
from .questions import KINDS

_HELDOUT_SEED = 10_000


def heldout_batches(config: ChatConfig, encoder: Encoder) -> dict[str, list[Batch]]:
    """By kind of question: batches of conversations of one turn, on scenes that are not trained on."""
    scenes = Scenes(config.seed + _HELDOUT_SEED, Style(), config.heldout, config.image_size)
    rng = random.Random(config.seed + _HELDOUT_SEED)
    found: dict[str, list[Batch]] = {}
    for kind, (make, _) in KINDS.items():
        pairs = [(make(scene, rng), picture) for scene, picture in (scenes[k] for k in range(config.heldout))]
        rows = [((question,), picture) for question, picture in pairs if question is not None]
        parts = [rows[at : at + config.batch_size] for at in range(0, len(rows), config.batch_size)]
        found[kind] = [
            collate(encoder, [q for q, _ in part], [p for _, p in part], apart=False, room=config.length)
            for part in parts
        ]
    return found


@torch.inference_mode()
def exact_match(model: LlavaForConditionalGeneration, batches: dict[str, list[Batch]]) -> dict[str, float]:
    """The shares of answers of which every token, with the end, is the most likely one after those before it."""
    model.eval()
    found: dict[str, float] = {}
    for kind, parts in batches.items():
        right = total = 0
        for part in parts:
            inputs = {name: value.to(model.device) for name, value in part.inputs.items()}
            with fast_autocast(model.device):
                best = model(**inputs).logits.argmax(-1).cpu()
            wrong = (part.labels != IGNORED) & (best != part.labels)
            right += int((~wrong.any(-1)).sum())
            total += len(wrong)
        found[kind] = right / max(1, total)
    return found
