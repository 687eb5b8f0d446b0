"""A stock Trainer on a tiny decoder, with texts that end in answers of different length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from skiptune import Budget, SearchConfig, SkipConfig, SkipSearch, insert
from tiny_decoders import WORDS, text_decoder

LORA = SkipConfig(block_adapter="lora", lora_rank=2)
HALVES = LORA.replace(parts=("attention", "mlp"))
SEARCH = SearchConfig(max_steps=3, interval=1, candidates=3, reward_batch_size=6)

Row = dict[str, list[int]]


def rows(count: int, seed: int = 0) -> list[Row]:
    """Texts of 6 tokens, then answers of 1 to 9."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        answer = int(torch.randint(1, 10, (), generator=generator))
        ids = torch.randint(3, WORDS, (6 + answer,), generator=generator).tolist()
        found.append({"input_ids": ids, "labels": [-100] * 6 + ids[6:]})
    return found


def collate(batch: list[Row]) -> dict[str, Tensor]:
    """Padded on the right."""
    longest = max(len(row["input_ids"]) for row in batch)

    def padded(name: str, value: int) -> Tensor:
        return torch.tensor([[*row[name], *[value] * (longest - len(row[name]))] for row in batch])

    ids = padded("input_ids", 0)
    return {"input_ids": ids, "attention_mask": (ids > 0).long(), "labels": padded("labels", -100)}


def decoder(config: SkipConfig = LORA, name: str = "llama") -> PreTrainedModel:
    """A tiny decoder with adapters that do something."""
    model: Any = insert(text_decoder(name), config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def trainer_of(
    model: PreTrainedModel, folder: Path, budget: Budget | None = None, search: SearchConfig = SEARCH, **changes: Any
) -> tuple[Trainer, SkipSearch]:
    """A stock Trainer with a search, six steps of four rows."""
    usual: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 4,
        "max_steps": 6,
        "learning_rate": 1e-2,
        "seed": 0,
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    held_out, callbacks = changes.pop("held_out", rows(12, seed=1)), changes.pop("callbacks", [])
    callback = SkipSearch(budget or Budget(num_skip=2), held_out, search)
    arguments = TrainingArguments(**{**usual, **changes})
    trainer = Trainer(model, arguments, data_collator=collate, train_dataset=rows(24), callbacks=[*callbacks, callback])
    return trainer, callback


class KilledError(Exception):
    """In the middle of a training."""


class KillAt(TrainerCallback):
    """Raises it when a step begins."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise KilledError
