"""``skiptune models`` lists models; ``convert`` and ``pretrain`` make them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import JsonOption, choice, takes

PretrainRecipe = Literal["scenes", "photos", "chats", "smol-photos"]
NumberType = Literal["float32", "float16", "bfloat16"]


def models(as_json: JsonOption = False) -> None:
    """List embedded models, architectures for costs and timings, and packaged recipes."""
    from ..models.architectures import ARCHITECTURES
    from ..models.embedded import EMBEDDED
    from ..running.packaged_recipes import recipe_lines

    found = {
        "embedded": {name: model.description for name, model in EMBEDDED.items()},
        "architectures": {name: model.description for name, model in ARCHITECTURES.items()},
        "recipes": recipe_lines(),
    }
    if as_json:
        paths = {name: str(model.path) if model.installed else None for name, model in EMBEDDED.items()}
        typer.echo(json.dumps({**found, "paths": paths}))
        return
    for title, entries in found.items():
        typer.echo(f"{title}:")
        wide = max(map(len, entries))
        for name, text in entries.items():
            typer.echo(f"  {name:<{wide}} {text}")
            if name in EMBEDDED and not EMBEDDED[name].installed:
                typer.echo(f"  {'':<{wide}} not installed; run: {EMBEDDED[name].how_to_install}")


@dataclass(frozen=True)
class ConvertOptions:
    """The command line of ``skiptune convert``."""

    checkpoint: Annotated[
        Path,
        typer.Argument(
            help="A .ckpt or .safetensors of the original ViLT, METER or DAS code; a .gguf; or the name smollm2-135m."
        ),
    ]
    output: Annotated[Path, typer.Argument(help="Directory to write; must be new or empty.")]
    task: Annotated[
        str | None,
        typer.Option(help="vqa, reasoning, retrieval, entailment or pretrained (no head), if there are several heads."),
    ] = None
    image_size: Annotated[
        int | None, typer.Option(min=1, help="Side of the images in pixels, if not that of the position table.")
    ] = None
    heads: Annotated[int | None, typer.Option(min=1, help="Attention heads, for widths of no published model.")] = None
    tokenizer: Annotated[Path | None, typer.Option(help="Directory of the tokenizer, saved beside the model.")] = None
    answers: Annotated[
        Path | None, typer.Option(help="JSON list of a VQA head's answers in label order, or mapping to labels.")
    ] = None
    skip: Annotated[
        str | None,
        typer.Option(help="Skipped blocks of a DAS checkpoint by name or number, e.g. 2,8 or text.2,image.2, or none."),
    ] = None
    dtype: Annotated[
        NumberType | None,
        choice(NumberType, help="GGUF: the numbers to write, float32 if not said."),
    ] = None


@takes(ConvertOptions)
def convert(options: ConvertOptions) -> None:
    """Turn a checkpoint of the original code, or a GGUF file of a language model, into a model directory.

    Sizes and task are read off the weights; with the DAS code's adapters it becomes a slim model, ready to run.
    """
    from ..converting.convert import Supplement
    from ..converting.convert import convert as work

    given = Supplement(options.image_size, options.heads, options.tokenizer, options.answers, options.skip)
    found = work(options.checkpoint, options.output, options.task, given, options.dtype)
    for line in found.lines():
        typer.echo(line)
    size = sum(file.stat().st_size for file in options.output.iterdir())
    typer.echo(f"{options.output}: {size / 2**20:.1f} MiB")


@dataclass(frozen=True)
class PretrainOptions:
    """The command line of ``skiptune pretrain``."""

    output: Annotated[Path, typer.Argument(help="Directory for checkpoints and the final model.")]
    share: Annotated[float, typer.Option(min=0.0, max=100.0, help="Scenes: share of the usual pairs.")] = 1.0
    seed: Annotated[int, typer.Option(min=0)] = 0
    recipe: Annotated[
        PretrainRecipe,
        choice(
            PretrainRecipe,
            help="scenes: vilt-scenes from nothing; photos: meter-photos; chats: llava-scenes; smol-photos: SmolLM2.",
        ),
    ] = "scenes"
    photos: Annotated[Path | None, typer.Option(help="Photos: JSON-lines file of images with captions.")] = None
    heldout: Annotated[Path | None, typer.Option(help="Photos: the same, held out and only measured on.")] = None
    images: Annotated[Path | None, typer.Option(help="Photos: the folder of both files' images.")] = None
    words: Annotated[list[Path] | None, typer.Option(help="Photos: further files of words to know.")] = None
    minutes: Annotated[float, typer.Option(min=0.0, help="Minutes in total, of all but scenes.")] = 75.0


@takes(PretrainOptions)
def pretrain(options: PretrainOptions) -> None:
    """Pre-train an embedded model; run again to go on after an interruption."""
    from ..pretraining.pretrain import pretrain as work

    given = {"photos": options.photos, "heldout": options.heldout, "images": options.images}
    words = options.words or []
    found = work(options.recipe, options.output, options.share, options.seed, given, words, options.minutes)
    typer.echo(json.dumps(found, indent=2))
