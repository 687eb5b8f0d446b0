"""Train ``smol-photos`` on photographs with captions, resumable, and write what was learnt."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import torch
from safetensors.torch import save_file
from transformers import LlavaProcessor

from ...core.files import write_atomically, write_json
from ...core.number_types import fast_autocast
from ...models.embedded import EMBEDDED
from ...models.in_parts import LEARNT, PARTS
from ..finished import finished_report
from ..photos.training_data import read_captions
from .parts import LANGUAGE_MODEL, TOWER, Untrained, image_processor, untrained
from .photographs import VIEWS, Photographs
from .smol_config import SmolConfig
from .training_loop import CaptionTraining, embedded, learnt_parameters, perplexities, prepare

#: Held-out photographs whose captions are written down.
_SHOWN = 10


class SmolReport(TypedDict):
    """The content of ``pretraining.json``: perplexities by token on the captions of held-out photographs and how many
    these were, captions that the model writes, seconds of a core that it trained for, sizes, history."""

    perplexity: float
    wrong_photograph: float
    measured: int
    captions_written: list[dict[str, str]]
    steps: int
    seconds: int
    photos: int
    config: dict[str, object]
    history: list[dict[str, float]]


def pretrain_smol_photos(config: SmolConfig, output: Path, photos: Path, images: Path, heldout: Path) -> SmolReport:
    """Train, measure on held-out photographs, and write what was learnt to ``output/final``.

    Run again on the same ``output``, it resumes; if ``minutes`` is less than the training time so far, it only measures
    and writes.

    Args:
        config: sizes of what is learnt and of the training.
        output: directory for features of the photographs, checkpoints and the result.
        photos, heldout: JSON-lines files of images with captions; only the first is trained on.
        images: the folder of both files' images.

    Raises:
        InputError: files that cannot be read, or a part of the model that is not installed.
    """
    final = output / "final"
    report: SmolReport | None = finished_report(final, asdict(config))
    if report is not None:
        return report
    begun = untrained(config.seed)
    model, tokenizer = begun.model, begun.tokenizer
    records, others = read_captions(photos, images), read_captions(heldout, images)
    tower = model.model.vision_tower.eval()
    features = output / "features"
    seen = Photographs.of(features / "photos.npy", records, tower, tokenizer, VIEWS)
    unseen = Photographs.of(features / "heldout.npy", others, tower, tokenizer, 1)
    prepare(model, config)
    training = CaptionTraining(model, config, tokenizer, seen, unseen, output)
    training.run("captions")
    right, wrong = perplexities(model, unseen, training.starts[0], training.fill, config.measured)
    report = {
        "perplexity": right,
        "wrong_photograph": wrong,
        "measured": min(config.measured, len(unseen)),
        "captions_written": _written(model, tokenizer, unseen, training.starts[0], [r.image for r in others]),
        "steps": training.step,
        "seconds": round(training.seconds),
        "photos": len(records),
        "config": asdict(config),
        "history": training.history,
    }
    write_atomically(final, partial(_save, begun, config, report))
    return report


@torch.inference_mode()
def _written(
    model: Any, tokenizer: Any, heldout: Photographs, start: list[int], images: list[Any]
) -> list[dict[str, str]]:
    """What the model writes about some held-out photographs, evenly taken."""
    model.eval()
    found = []
    for row in range(0, len(heldout), max(1, len(heldout) // _SHOWN)):
        with fast_autocast():
            ids = torch.tensor([start])
            said = model.generate(
                inputs_embeds=embedded(model, ids, heldout.take([row], [0])),
                attention_mask=torch.ones_like(ids),
                max_new_tokens=30,
                do_sample=False,
            )
        text = tokenizer.decode(said[0], skip_special_tokens=True)
        found.append({"image": Path(str(images[row])).name, "written": text})
    return found[:_SHOWN]


def _save(begun: Untrained, config: SmolConfig, report: SmolReport, folder: Path) -> None:
    """What was learnt in float16, by the names that it has when the model is put together."""
    folder.mkdir()
    model, tokenizer = begun.model, begun.tokenizer
    state = {}
    for name, value in learnt_parameters(model).items():
        state[name.replace(".default.weight", "")] = value.detach().half()
    save_file(state, folder / LEARNT)
    scale = config.lora_alpha / config.lora_rank
    write_json(folder / PARTS, {"language_model": LANGUAGE_MODEL, "image_tower": TOWER, "lora_scale": scale})
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    LlavaProcessor(
        image_processor=image_processor(EMBEDDED[TOWER].path),
        tokenizer=tokenizer,
        patch_size=model.config.vision_config.patch_size,
        vision_feature_select_strategy=model.config.vision_feature_select_strategy,
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    ).save_pretrained(folder)
    write_json(folder / "pretraining.json", report)
