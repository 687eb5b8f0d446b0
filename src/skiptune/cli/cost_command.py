"""``skiptune cost`` counts operations and parameters, without weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..core.errors import InputError
from .options import ImageSize, JsonOption, choice, parsed, read_names, read_shares, read_size, takes

if TYPE_CHECKING:
    from ..costs.cost_table import CostTable
    from ..costs.generation_table import GenerationTable, PassTable
    from ..plan import TokenSchedule

Adapters = Literal["bottleneck", "lora", "none"]
SkipAdapters = Literal["bottleneck", "folded", "none"]
Scope = Literal["fusion", "global"]
Way = Literal["merge", "prune", "both", "pool"]

#: Answers of a question answering head, if no number is named: as many as the authors' models have.
_LABELS = 3129


@dataclass(frozen=True)
class CostOptions:
    """The command line of ``skiptune cost``."""

    model: Annotated[
        str,
        typer.Argument(help="Embedded name, directory (a config.json is enough), hub id, or architecture."),
    ]
    image_size: Annotated[
        ImageSize | None,
        parsed(read_size, metavar="HEIGHTxWIDTH", help="In pixels; the model's own by default."),
    ] = None
    text_length: Annotated[
        int | None,
        typer.Option(help="Tokens of text, without those of an image; what is usual for the model by default."),
    ] = None
    decode_steps: Annotated[
        int, typer.Option(min=0, help="Of a model that generates text: count so many steps after the prefill.")
    ] = 0
    skip: Annotated[str, typer.Option(help="Blocks to skip, e.g. 0,1,2,3 or text.0,image.0.")] = ""
    tokens: Annotated[
        dict[str, float] | None,
        parsed(
            read_shares,
            metavar="BLOCK=SHARE",
            help="Image tokens that go on from before a block, as a share of all, e.g. 3=0.5,6=0.25.",
        ),
    ] = None
    token_way: Annotated[
        Way,
        choice(
            Way,
            help="How they become so few: alike ones are merged, unread ones are pruned, both, or neighbours pooled.",
        ),
    ] = "merge"
    frozen: Annotated[
        str, typer.Option(help="Layers of a language model that image tokens pass unchanged, e.g. 9,10,11.")
    ] = ""
    adapters: Annotated[
        Adapters | None,
        choice(Adapters, help="In every kept block; by default bottleneck, or lora where a model takes no such."),
    ] = None
    skip_adapter: Annotated[
        SkipAdapters | None, choice(SkipAdapters, help="In the place of a skipped block; as SkipConfig by default.")
    ] = None
    skip_width: Annotated[int | None, typer.Option(help="Bottleneck of a skip adapter; as SkipConfig by default.")] = (
        None
    )
    scope: Annotated[
        Scope,
        choice(Scope, help="global: the encoders' layers can be skipped too."),
    ] = "fusion"
    parts: Annotated[
        str, typer.Option(help="Halves of layers that are blocks by themselves: attention, mlp or attention,mlp.")
    ] = ""
    labels: Annotated[int | None, typer.Option(min=2, help="Answers of the VQA head; 3129 by default.")] = None
    as_json: JsonOption = False


@takes(CostOptions)
def cost(options: CostOptions) -> None:
    """Multiply-accumulates and parameters: the original, with adapters, with the plan, and per block.

    Of a model that generates text: the prefill of its prompt and a decode step after it, part by part, and the bytes
    that a token takes in the cache. No weights are needed, and none are made.
    """
    from ..config import SkipConfig
    from ..costs.cost_table import cost_table
    from ..costs.example_inputs import size_of_images
    from ..families.registry import family_of
    from ..models.without_weights import parameters_on_meta

    with parameters_on_meta():
        built: Any = _built(options)
    family = family_of(built)
    if options.labels is not None and "vqa" not in family.model_classes:
        raise InputError(f"labels: {options.labels}: {family.name} has no question answering head; leave it out")
    given = {
        "block_adapter": options.adapters or family.usual_adapter,
        "skip_adapter": options.skip_adapter,
        "skip_width": options.skip_width,
        "scope": options.scope,
        "parts": read_names(options.parts),
    }
    usual = family.sizes(built.config)
    table = cost_table(
        built,
        SkipConfig.from_dict(given),
        read_names(options.skip),
        size_of_images(built, options.image_size),
        usual.text_length if options.text_length is None else options.text_length,
        options.decode_steps,
        _schedule(options),
    )
    plain = {**asdict(table), "tokens": table.tokens and table.tokens.to_dict()}
    typer.echo(json.dumps(plain) if options.as_json else "\n".join(_printed(table)))


def _schedule(options: CostOptions) -> TokenSchedule | None:
    from ..plan import TokenSchedule

    keep, frozen = options.tokens or {}, read_names(options.frozen)
    if options.token_way != "merge" and not keep:
        raise InputError(f"token_way: {options.token_way}: of no use without tokens; give --tokens too")
    return TokenSchedule(keep=keep, way=options.token_way, frozen=tuple(frozen)) if keep or frozen else None


def _built(options: CostOptions) -> Any:
    """The model; a plain checkpoint has a class and answers of its own."""
    from ..exporting.plain.load import class_of
    from ..exporting.plain.record import is_plain
    from ..models.loading import load_model
    from ..models.usual_model import load_usual

    if options.labels is None and is_plain(options.model):
        return load_model(options.model, class_of(Path(options.model)), random_weights=True)
    return load_usual(options.model, options.labels or _LABELS, random_weights=True)


def _printed(table: CostTable) -> Iterator[str]:
    """The table for people."""
    if table.generation is None:
        yield from _macs(table.macs_g)
        yield from _saved(table.saved_macs_g)
    else:
        yield from _generation(table, table.generation)
    for name, value in table.parameters.items():
        yield f"{name:<16}{value:14,d} parameters"


def _generation(table: CostTable, found: GenerationTable) -> Iterator[str]:
    image = f", {found.prompt_length - table.text_length} of them of an image" if table.image_size[0] else ""
    yield f"prefill of {found.prompt_length} tokens{image}"
    yield from _pass(found.prefill)
    yield f"decode step, {found.prompt_length} tokens in the cache"
    yield from _pass(found.decode_step)
    if found.decode_steps:
        yield f"prefill and {found.decode_steps} decode steps"
        yield from _macs(table.macs_g)
    yield "cache of all layers"
    for dtype, held in found.cache_bytes_of_prompt.items():
        yield f"{dtype:<16}{', '.join(f'{name} {size:,d}' for name, size in held.items())} bytes after the prefill"
    for dtype, sizes in found.cache_bytes_per_token.items():
        said = ", ".join(f"{name} {size:,d}" for name, size in sizes.items() if size is not None)
        yield f"{dtype:<16}{said} bytes a token"
    yield "all"


def _pass(found: PassTable) -> Iterator[str]:
    yield from _macs(found.macs_g)
    for part, value in found.parts_g.items():
        if value:
            change = found.parts_with_plan_g[part] / value - 1
            yield f"  {part:<14}{value:10.3f} G, with the plan {found.parts_with_plan_g[part]:.3f} G  {change:+7.2%}"
    yield from _saved(found.saved_macs_g)


def _macs(values: dict[str, float]) -> Iterator[str]:
    for name, value in values.items():
        yield f"{name:<16}{value:10.3f} G multiply-accumulates  {value / values['original'] - 1:+7.2%}"


def _saved(values: dict[str, float]) -> Iterator[str]:
    from ..costs.macs import by_saving

    for value, names in by_saving(values).items():
        yield f"{'saved by each':<16}{value:10.3f} G: {', '.join(names)}"
