"""Pre-train ``vilt-scenes`` from random weights: MLM and ITM on generated scenes, resumable, on CPU or GPU."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor
from transformers import Trainer, TrainingArguments, ViltConfig, ViltProcessor, set_seed
from transformers.models.vilt.image_processing_pil_vilt import ViltImageProcessorPil
from transformers.trainer_utils import get_last_checkpoint

from ...core.files import write_atomically, write_json
from ...core.text_files import read_json
from ...training.progress_bar import TrainingBar, silence
from ..finished import finished_report, refuse_other
from .pairs import MATCHING, NAMING, Lesson, PairCollator, ScenePairs
from .vilt_for_pretraining import ViltForPretraining, accuracies
from .vocabulary import make_tokenizer


@dataclass(frozen=True)
class Stage:
    """A training with its own learning-rate schedule. ``pairs``: image-caption pairs, each seen once."""

    name: str
    pairs: int
    learning_rate: float
    lessons: tuple[Lesson, ...]


_SETTINGS = "settings.json"
STAGES = (Stage("naming", 240_000, 1e-3, NAMING), Stage("matching", 300_000, 4e-4, MATCHING))


@dataclass(frozen=True)
class PretrainConfig:
    """Sizes of the model and of its training. ``share``: fraction of the pairs of every stage, for short trials."""

    width: int = 128
    blocks: int = 12
    heads: int = 4
    mlp_width: int = 512
    image_size: int = 72
    patch_size: int = 12
    text_length: int = 40
    share: float = 1.0
    scenes: int = 40_000
    heldout_pairs: int = 4_000
    batch_size: int = 64
    weight_decay: float = 0.05
    warmup_steps: int = 300
    save_steps: int = 500
    seed: int = 0


class ScenesReport(TypedDict):
    """The content of ``pretraining.json``: accuracies on held-out scenes in [0, 1], seconds of training by stage."""

    mlm_accuracy: float
    itm_accuracy: float
    seconds: dict[str, float]
    config: dict[str, object]


def make_processor(config: PretrainConfig) -> ViltProcessor:
    """The tokenizer and image processor that go with the model."""
    image_processor = ViltImageProcessorPil(
        size={"shortest_edge": config.image_size},
        size_divisor=config.patch_size,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    return ViltProcessor(image_processor, make_tokenizer(config.text_length))


def make_model(config: PretrainConfig, vocabulary: int) -> ViltForPretraining:
    """A model with random weights, the layer-norm epsilon of the released ViLT (1e-6) and ReLU for speed."""
    model = ViltForPretraining(
        ViltConfig(
            vocab_size=vocabulary,
            hidden_size=config.width,
            num_hidden_layers=config.blocks,
            num_attention_heads=config.heads,
            intermediate_size=config.mlp_width,
            hidden_act="relu",
            image_size=config.image_size,
            patch_size=config.patch_size,
            max_position_embeddings=config.text_length,
            layer_norm_eps=1e-6,
            pad_token_id=0,
        )
    )
    initialize(model)
    return model


@torch.no_grad()
def initialize(model: ViltForPretraining) -> None:
    """Weights scaled by fan-in, small outputs of residual branches, and image positions as sines and cosines.

    transformers starts position embeddings at zero and draws all weights with a standard deviation of 0.02. That suits
    a width of 768 and a body that is loaded afterwards, not a narrow model that is trained from random weights.
    """
    embeddings = model.vilt.embeddings
    for module in model.modules():
        if (
            isinstance(module, torch.nn.Linear)
            and module.weight is not embeddings.text_embeddings.word_embeddings.weight
        ):
            torch.nn.init.normal_(module.weight, std=0.7 * module.in_features**-0.5)
    projection = embeddings.patch_embeddings.projection.weight
    torch.nn.init.normal_(projection, std=projection[0].numel() ** -0.5)
    depth = len(model.vilt.encoder.layer)
    for block in model.vilt.encoder.layer:
        for branch in (block.attention.output.dense, block.output.dense):
            branch.weight.div_((2 * depth) ** 0.5)
    positions = embeddings.position_embeddings
    side = model.config.image_size // model.config.patch_size
    positions[0, 1:] = 0.5 * _sines(side, positions.shape[-1])


def _sines(side: int, width: int) -> torch.Tensor:
    """``(side · side, width)``: sines and cosines of column and row at ``width / 4`` frequencies."""
    frequencies = 10 ** (-1.5 * torch.arange(width // 4) / (width // 4))
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angles = [grid.reshape(-1, 1) * frequencies for grid in (column, row)]
    return torch.cat([function(angle) for angle in angles for function in (torch.sin, torch.cos)], dim=1)


def pretrain(config: PretrainConfig, output: Path) -> ScenesReport:
    """Train all stages, each from the final weights of the stage before, and score on held-out scenes.

    Every stage writes ``output/<stage>/final`` (float16 weights, processor, ``pretraining.json``); that of the last
    stage is the model. Run it again on the same ``output`` after an interruption: finished stages are only read, and
    training goes on from the newest checkpoint.

    Returns:
        The report of the last stage.

    Raises:
        InputError: a stage was finished or begun with other settings.
    """
    set_seed(config.seed)
    processor = make_processor(config)
    collator = PairCollator(processor.tokenizer)
    model = make_model(config, len(processor.tokenizer))
    seconds: dict[str, float] = {}
    for number, stage in enumerate(STAGES):
        final = output / stage.name / "final"
        if finished_report(final, asdict(config)) is None:
            seconds[stage.name] = _train(config, number, model, collator, output / stage.name)
            mlm, itm = accuracies(model, heldout_batches(config, collator))
            made = ScenesReport(mlm_accuracy=mlm, itm_accuracy=itm, seconds=seconds, config=asdict(config))
            write_atomically(final, partial(_save, model, processor, made))
        report: ScenesReport = read_json(final / "pretraining.json")
        seconds = report["seconds"]
        model = ViltForPretraining.from_pretrained(final, dtype=torch.float32)
    return report


def _train(
    config: PretrainConfig, number: int, model: ViltForPretraining, collator: PairCollator, output: Path
) -> float:
    """Train ``model`` through stage ``number``, in place; returns the seconds since training was last resumed."""
    stage, seed = STAGES[number], config.seed + 1_000 * number
    set_seed(seed)
    arguments = TrainingArguments(
        output_dir=str(output),
        per_device_train_batch_size=config.batch_size,
        num_train_epochs=1,
        learning_rate=stage.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup_steps,
        lr_scheduler_type="cosine",
        adam_beta2=0.98,
        max_grad_norm=1.0,
        logging_steps=100,
        save_steps=config.save_steps,
        save_total_limit=2,
        train_sampling_strategy="sequential",
        dataloader_pin_memory=torch.cuda.is_available(),
        seed=seed,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["mlm_labels", "itm_labels"],
    )
    pairs = max(config.batch_size, round(config.share * stage.pairs))
    dataset = ScenePairs(pairs, config.scenes, seed, config.image_size, stage.lessons)
    bar = TrainingBar(stage.name)
    trainer = Trainer(model, arguments, data_collator=collator, train_dataset=dataset, callbacks=[bar])
    silence(trainer)
    last = get_last_checkpoint(str(output)) if output.is_dir() else None
    _keep_settings(config, output, begun=last is not None)
    try:
        return float(trainer.train(resume_from_checkpoint=last).metrics["train_runtime"])
    finally:
        bar.close()


def _keep_settings(config: PretrainConfig, output: Path, begun: bool) -> None:
    """Write the settings beside the checkpoints of a stage; of one that has begun, refuse others.

    Checkpoints of a version that wrote none are taken as they are.

    Raises:
        InputError: the stage was begun with others.
    """
    path = output / _SETTINGS
    if begun and path.is_file():
        asked = {name: value for name, value in asdict(config).items() if name != "save_steps"}
        refuse_other(output, read_json(path), asked)
    elif not begun:
        write_json(path, asdict(config))


def heldout_batches(config: PretrainConfig, collator: PairCollator) -> list[dict[str, Tensor]]:
    """Batches of pairs from scenes of every kind, none of which is trained on."""
    heldout = ScenePairs(config.heldout_pairs, config.heldout_pairs, config.seed + 10_000, config.image_size)
    starts = range(0, len(heldout), config.batch_size)
    return [collator([heldout[k] for k in range(at, min(at + config.batch_size, len(heldout)))]) for at in starts]


def _save(model: ViltForPretraining, processor: ViltProcessor, report: ScenesReport, folder: Path) -> None:
    copy.deepcopy(model).to(torch.float16).save_pretrained(folder)
    processor.save_pretrained(folder)
    write_json(folder / "pretraining.json", report)
