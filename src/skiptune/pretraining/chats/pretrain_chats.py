"""Pre-train ``llava-scenes``: questions about generated scenes and captions, resumable, on CPU or GPU."""

from __future__ import annotations

import copy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypedDict

import torch
from transformers import LlavaForConditionalGeneration, LlavaProcessor, set_seed

from ...core.files import write_atomically, write_json
from ...models.embedded import embedded_path
from ..finished import finished_report
from .chat_config import ChatConfig
from .chat_processor import make_processor, make_tokenizer
from .chat_scores import exact_match, heldout_batches
from .chat_training import ChatTraining
from .conversations import Conversations, Encoder
from .llava_weights import copy_tower, make_model


class ChatsReport(TypedDict):
    """The content of ``pretraining.json``.

    ``exact_match``: by kind of question, the share in [0, 1] of held-out questions answered right. ``seconds``: of
    training. ``history``: at every checkpoint the step, the seconds, the recent loss and the shares.
    """

    exact_match: dict[str, float]
    steps: int
    seconds: int
    config: dict[str, object]
    history: list[dict[str, float]]


def pretrain_chats(config: ChatConfig, output: Path) -> ChatsReport:
    """Train, measure on held-out scenes, and write the model to ``output/final``.

    Run again on the same ``output``, it resumes; if ``minutes`` is less than the training time so far, it only
    measures and writes the model.
    """
    final = output / "final"
    report: ChatsReport | None = finished_report(final, asdict(config))
    if report is not None:
        return report
    set_seed(config.seed)
    tokenizer = make_tokenizer(config.length)
    encoder = Encoder(tokenizer, config.image_tokens)
    heldout = heldout_batches(config, encoder)
    model = make_model(config, tokenizer)
    copy_tower(model, embedded_path("vilt-scenes"), heldout["caption"][0].inputs["pixel_values"])
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    training = ChatTraining(model, config, Conversations(config, encoder), heldout, output)
    training.run("chats")
    report = {
        "exact_match": exact_match(model, heldout),
        "steps": training.step,
        "seconds": round(training.seconds),
        "config": asdict(config),
        "history": training.history,
    }
    processor = make_processor(tokenizer, config.image_size, config.patch_size)
    write_atomically(final, partial(_save, model, processor, report))
    return report


def _save(model: LlavaForConditionalGeneration, processor: LlavaProcessor, report: ChatsReport, folder: Path) -> None:
    copy.deepcopy(model).to(torch.float16).save_pretrained(folder)
    processor.save_pretrained(folder)
    write_json(folder / "pretraining.json", report)
