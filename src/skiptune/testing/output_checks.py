"""Checks of a family: what its blocks and outputs do, with adapters and with blocks skipped."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ..config import SkipConfig
from ..costs.block_costs import passes_of
from ..costs.macs import count_blocks, count_macs
from ..inserting.block_hooks import Given, block_hooks, output_stream
from ..inserting.parameter_groups import parameter_groups
from ..inserting.pruning import prune
from ..inserting.selection import blocks_of, choose
from ..layers.blocks import SkippableBlock
from ..plan import Plan
from ..searching.prefix_sharing import evaluate_each
from .trial import Trial, differences, is_state, run

#: Relative; other shapes are computed by other kernels, which round in another order.
_ROUNDING = 1e-4


@torch.no_grad()
def insertion(trial: Trial) -> Iterator[str]:
    """Adapters change no output. Nor do skippable classes; a family's own ``adopt`` may round otherwise."""
    plain = copy.deepcopy(trial.model).eval().requires_grad_(False)  # frozen, some layers run other kernels of torch
    once, again = (run(plain, trial.inputs, output_hidden_states=True) for _ in range(2))
    steady = {name for name, value in once.items() if torch.equal(value, again[name])}
    bare = run(trial.adapted(SkipConfig(block_adapter="none")), trial.inputs, output_hidden_states=True)
    compared = [name for name in once if name in steady or not is_state(name)]  # ViLT's own order of patches is random
    exact = trial.family.adopt is None
    for said in differences(
        {name: bare[name] for name in compared if name in bare},
        {name: once[name] for name in compared},
        0.0 if exact else _ROUNDING,
    ):
        yield f"without adapters, {said} from the model's own classes"
    for said in differences(run(trial.adapted(), trial.inputs, output_hidden_states=True), bare):
        yield f"with block_adapter: {trial.config.block_adapter}, {said} from the model without adapters"


@torch.no_grad()
def block_outputs(trial: Trial) -> Iterator[str]:
    """A block without a ``forward`` of its own says whether it gives a tuple."""
    outputs: dict[str, tuple[Any, Any]] = {}
    model = trial.adapted()
    with block_hooks(model, lambda name, block, given, output: outputs.update({name: (block, output)})):
        run(model, trial.inputs)
    told: dict[type, str] = {}
    for name, (block, output) in outputs.items():
        kind, found = type(block), isinstance(output, tuple)
        inherited = unwrap(kind.forward) is unwrap(SkippableBlock.forward)  # transformers wraps those it records
        if inherited and found is not kind.returns_tuple:
            gives = "a tuple" if found else "no tuple"
            told.setdefault(kind, f"block {name} gives {gives}; set returns_tuple = {found} in {kind.__name__}")
    yield from told.values()


@torch.no_grad()
def skipping(trial: Trial) -> Iterator[str]:
    """A skipped block passes its stream on, and every output is still there; also the layers of encoders below."""
    yield from _skipping(trial, trial.adapted(), trial.names if len(trial.names) > 1 else ())
    if trial.family.adopt_encoders is not None:
        model = trial.adapted(trial.config.replace(scope="global"))
        yield from _skipping(trial, model, [name for name in blocks_of(model) if name not in trial.names])


def _skipping(trial: Trial, model: PreTrainedModel, names: Sequence[str]) -> Iterator[str]:
    whole = run(model, trial.inputs, output_hidden_states=True)
    results = {name: value for name, value in whole.items() if not is_state(name)}
    unread = trial.family.unread(model.config)
    for block in names:
        changed: dict[str, bool] = {}

        def after(name: str, module: Any, given: Given, output: Any, changed: Any = changed) -> None:
            if module.skipped:
                changed[name] = not given.args or not torch.equal(output_stream(output), given.stream)

        choose(model, (block,))
        with block_hooks(model, after):
            found = run(model, trial.inputs, output_hidden_states=True)
        if block not in changed:
            yield f"block {block} is not in the model's path: it never runs"
            continue
        if changed[block]:
            yield f"block {block}, skipped, does not pass its first argument on"
        shapes = {name: value.shape for name, value in found.items()}
        if shapes != {name: value.shape for name, value in whole.items()}:
            yield f"with block {block} skipped, outputs are missing or of another shape: {sorted(shapes)}"
        elif (not differences({name: found[name] for name in results}, results)) is not (block in unread):
            does = (
                "changes outputs, and `unread` says that nothing reads it" if block in unread else "changes no output"
            )
            yield f"skipping block {block} {does}"


def parameter_names(trial: Trial) -> Iterator[str]:
    """The blocks' weights are the body's, and named parts exist."""
    model = trial.adapted(SkipConfig(block_adapter="none"))
    groups = parameter_groups(model)
    if not groups["body"]:
        yield f"base_prefix: no parameter begins with {' or '.join(trial.family.body_prefixes)}"
    body = {id(parameter) for parameter in groups["body"].values()}
    for name, block in blocks_of(model).items():
        outside = [own for own, parameter in block.named_parameters() if id(parameter) not in body]
        if groups["body"] and outside:
            yield f"base_prefix: {outside[0]} of block {name} is not in the pre-trained body"


@torch.no_grad()
def prefix_sharing(trial: Trial) -> Iterator[str]:
    """Subnetworks that are evaluated together give what each gives alone."""
    model, sets = trial.adapted(noise=True), trial.sets()
    together = dict(evaluate_each(model, sets, lambda: run(model, trial.inputs)))
    for number, skipped in enumerate(sets):
        choose(model, skipped)
        for said in differences(together[number], run(model, trial.inputs)):
            yield f"with {_blocks(skipped)} skipped, {said} from plain evaluation; is `below` right?"


def costs(trial: Trial) -> Iterator[str]:
    """Skipping saves multiply-accumulates, as many as are counted."""
    model = trial.adapted()
    counted = count_blocks(model, trial.inputs)
    for name, saved in counted.savings.items():
        if saved <= 0:
            yield f"skipping block {name} saves no multiply-accumulates"
    skipped = trial.names[:1] if len(trial.names) > 1 else ()
    plan = Plan(trial.family.name, trial.names, skipped)
    (first,) = passes_of(prune(trial.adapted(), plan), decodes=False)
    left = count_macs(first, trial.inputs)
    expected = counted.adapted - sum(counted.savings[name] for name in skipped)
    if abs(left - expected) > 1e-9 + 1e-6 * abs(expected):
        yield f"without {_blocks(skipped)}, {left:.6f} G multiply-accumulates are left, by the sum {expected:.6f} G"


@torch.no_grad()
def padding(trial: Trial) -> Iterator[str]:
    """A text in a padded batch gives what it gives alone."""
    if trial.family.fills_texts or not {"input_ids", "attention_mask"} <= trial.inputs.keys():
        return
    ids = trial.inputs["input_ids"]
    if ids.ndim != 2 or ids.shape[1] < 6 or len(ids) < 2:
        return
    config = trial.model.config
    pad = getattr(getattr(config, "text_config", config), "pad_token_id", None) or 0
    model, examples = trial.adapted(noise=True), len(ids)
    short, batch = dict[str, Tensor](), dict[str, Tensor]()
    for name, value in {**trial.inputs, "attention_mask": torch.ones_like(ids)}.items():
        one = value[: len(value) // examples]  # images of an example may be several
        short[name], batch[name] = one, value
        if value.shape == ids.shape:  # of tokens
            short[name] = torch.cat((one[:, :-3], one[:, -1:]), dim=1)  # the last may be one that the model looks for
            filling = short[name].new_full((1, 2), pad if name == "input_ids" else 0)
            batch[name] = torch.cat((torch.cat((short[name], filling), dim=1), value[1:]))
    alone, batch = run(model, short), run(model, batch)
    results = {name: value for name, value in alone.items() if not is_state(name)}
    found = {name: batch[name][tuple(slice(0, length) for length in value.shape)] for name, value in results.items()}
    for said in differences(found, results, _ROUNDING):
        yield f"{said} between a text alone and in a padded batch"


def _blocks(names: tuple[str, ...]) -> str:
    return f"block {', '.join(names)}" if names else "no block"
