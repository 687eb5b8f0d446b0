"""What bad inputs meet: a finished run, a base model, pictures and files of every format."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file

from conftest import MODEL, draw_square, write_recipe
from original_checkpoints import GOLDEN, state_of, write_checkpoint
from skiptune import Run, export, load_model, read_recipe

ANSWERS = ("red", "green", "blue", "yellow")


@dataclass(frozen=True)
class Workspace:
    """A folder with ``run/`` and its ``recipe.yaml``, ``adapters/`` (a slim model beside its base), ``base/``,
    ``images/`` and questions about them."""

    folder: Path

    @property
    def recipe(self) -> dict[str, Any]:
        """That of the run, with ``{workspace}`` for the folder."""
        text = (self.folder / "run" / "recipe.json").read_text(encoding="utf-8")
        content: dict[str, Any] = json.loads(text.replace(self.folder.as_posix(), "{workspace}"))
        return content

    def files(self, name: str) -> list[str]:
        """Files of a folder of the workspace, relative to it."""
        folder = self.folder / name
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def make_workspace(folder: Path, data_folder: Path) -> Workspace:
    """Train the tiny model and write everything else."""
    shutil.copytree(data_folder, folder, dirs_exist_ok=True)
    for number in range(100, 112):  # the names that published formats give to pictures
        draw_square(folder / "images" / f"COCO_train2014_{number:012d}.jpg", number % 16)
        draw_square(folder / "images" / f"{number}.jpg", number % 16)
    recipe = read_recipe(write_recipe(folder / "recipe.yaml", folder, output=str(folder / "run")))
    run = Run(recipe)
    run.all()
    run.task.processor.save_pretrained(folder / "base")
    load_model(MODEL, run.task.model_class, **run.task.model_changes()).save_pretrained(folder / "base")
    export(run.train(), folder / "adapters", run.search(), run.task, "adapters", MODEL)
    if GOLDEN.is_dir():
        checkpoint = write_checkpoint(folder / "original.ckpt", "vilt", state_of("vilt", heads=("vqa",)))
        save_file(torch.load(checkpoint, weights_only=True)["state_dict"], folder / "original.safetensors")
    return Workspace(folder)


def questions(count: int) -> list[dict[str, Any]]:
    """Good rows, each about another picture."""
    return [
        {"image": f"{number % 16}.png", "question": "what colour is it?", "answer": ANSWERS[number % 4],
         "id": f"good-{number}"}
        for number in range(count)
    ]  # fmt: skip


def published(count: int) -> dict[str, Any]:
    """Small files in the published formats, by name: VQAv2's two, SNLI-VE's, NLVR2's and Karpathy's."""
    numbers = range(100, 100 + count)
    asked = [{"question_id": number, "image_id": number, "question": "colour?"} for number in numbers]
    answers = [
        {"question_id": number, "image_id": number, "multiple_choice_answer": ANSWERS[number % 4],
         "answers": [{"answer": ANSWERS[number % 4], "answer_confidence": "yes", "answer_id": k} for k in range(3)]}
        for number in numbers
    ]  # fmt: skip
    hypotheses = [
        {"Flickr30K_ID": str(number), "sentence2": "a square", "gold_label": "neutral", "pairID": str(number)}
        for number in numbers
    ]
    sentences = [
        {"filename": f"{number}.jpg", "split": "test", "imgid": number, "sentids": [number],
         "sentences": [{"raw": f"a {ANSWERS[number % 4]} square", "imgid": number, "sentid": number}]}
        for number in numbers
    ]  # fmt: skip
    return {
        "vqav2-questions": {"questions": asked},
        "vqav2-annotations": {"annotations": answers},
        "snli-ve": hypotheses,
        "karpathy": {"images": sentences, "dataset": "squares"},
    }


def pictures() -> dict[str, bytes]:
    """A small picture in every format that is read, by file name."""
    image = Image.new("RGB", (40, 48), (200, 30, 30))
    image.paste((20, 200, 20), (5, 5, 20, 30))
    found = {}
    for name in ("png", "jpeg", "webp", "gif", "bmp", "tiff"):
        held = io.BytesIO()
        image.save(held, name)
        found[f"picture.{name}"] = held.getvalue()
    for mode, name in (("RGBA", "alpha"), ("L", "grey"), ("I;16", "grey16"), ("P", "palette"), ("1", "bits")):
        held = io.BytesIO()
        (image.convert("L").convert("I").convert(mode) if mode == "I;16" else image.convert(mode)).save(held, "png")
        found[f"{name}.png"] = held.getvalue()
    return found
