"""Skip adapters that start as a fit of their blocks: numpy's regression, how good they are, and where they are made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from skiptune import (
    Experiment,
    InputError,
    Record,
    Run,
    SkipConfig,
    TrainConfig,
    Vqa,
    blocks_of,
    choose,
    fit,
    fit_skip_adapters,
    insert,
    load_model,
    load_processor,
    read_recipe,
    skipped_blocks,
)
from skiptune.tasks.task import on_device
from skiptune.training.reduced_rank import Moments

FAMILIES = ("vilt", "meter", "bridgetower")


@pytest.fixture
def make(records: list[Record]) -> Callable[..., tuple[PreTrainedModel, Vqa]]:
    """A tiny model of a family with skip adapters to fit, and its task."""

    def make(family: str = "vilt", width: int = 24, **settings: object) -> tuple[PreTrainedModel, Vqa]:
        task = Vqa.from_records(load_processor(f"{family}-tiny"), records)
        model = load_model(f"{family}-tiny", task.model_class, seed=0, **task.model_changes())
        insert(model, SkipConfig(init="fit", skip_width=width, **settings))  # type: ignore[arg-type]
        return model.eval(), task

    return make


@torch.no_grad()
def streams(model: PreTrainedModel, batches: list[dict[str, Tensor]]) -> dict[str, tuple[Tensor, Tensor]]:
    """Every block's input and output with nothing skipped, all tokens of all batches."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in blocks_of(model)}
    hooks = [
        block.register_forward_hook(
            lambda block, given, output, name=name: found[name].append(
                (given[0].flatten(0, 1), (output[0] if isinstance(output, tuple) else output).flatten(0, 1))
            )
        )
        for name, block in blocks_of(model).items()
    ]
    for batch in batches:
        model(**on_device(batch, model))
    for hook in hooks:
        hook.remove()
    return {name: (torch.cat([x for x, _ in p]), torch.cat([y for _, y in p])) for name, p in found.items()}


def reduced_rank(u: np.ndarray, r: np.ndarray, rank: int) -> np.ndarray:
    """Fitted values of ridge regression cut down to a rank, from all tokens: stacked rows and a singular value
    decomposition, not moments."""
    count, width = u.shape
    mean_u, mean_r = u.mean(0), r.mean(0)
    ridge = 1e-3 * (u - mean_u).var(0).mean()
    rows = np.vstack([u - mean_u, np.sqrt(count * ridge) * np.eye(width)])
    targets = np.vstack([r - mean_r, np.zeros((width, r.shape[1]))])
    full = np.linalg.lstsq(rows, targets, rcond=None)[0]
    directions = np.linalg.svd(rows @ full, full_matrices=False)[2][:rank]
    result: np.ndarray = (u - mean_u) @ full @ directions.T @ directions + mean_r
    return result


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_are_numpys_reduced_rank_regression(family: str, make, records: list[Record]) -> None:
    model, task = make(family, width=11, scope="global" if family != "vilt" else "fusion")
    rows = [record for record in records if record.text == "colour?"][:12]  # nothing is padded but images of ViLT
    batches = [task.collate([row]) for row in rows]
    given = streams(model, batches)
    errors = fit_skip_adapters(model, task, rows, batches=12, batch_size=1)
    assert errors.keys() == blocks_of(model).keys()
    for name, (x, y) in given.items():
        adapter = blocks_of(model)[name].skip_adapter
        u = torch.nn.functional.layer_norm(x, x.shape[-1:]).double().numpy()
        r = (y.double() - x.double()).numpy()
        expected = reduced_rank(u, r, rank=5)
        found = adapter(x).detach().double().numpy()
        assert np.abs(found - expected).max() < 1e-4 * np.abs(r).max()
        assert errors[name] == pytest.approx(np.linalg.norm(expected - r) / np.linalg.norm(r), abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_errors_fall_with_width_and_the_unskipped_model_stays(family: str, make, records: list[Record]) -> None:
    errors = []
    for width in (2, 8, 32):
        model, task = make(family, width, scope="global" if family != "vilt" else "fusion")
        batch = task.collate(records[:6])
        with torch.no_grad():
            before = model(**batch).logits
        choose(model, list(blocks_of(model))[:1])
        errors.append(fit_skip_adapters(model, task, records, batches=2, batch_size=8))
        assert skipped_blocks(model) == tuple(blocks_of(model))[:1]
        choose(model, ())
        with torch.no_grad():
            assert torch.equal(model(**batch).logits, before)
    for name in errors[0]:
        assert 1 > errors[0][name] > errors[1][name] > errors[2][name] > 0


def test_padding_is_left_out(make, records: list[Record]) -> None:
    """One batch with padded texts and images, or each record by itself: the same fit but for rounding."""
    rows = [*records[:3], *records[9:12]]
    errors, states = [], []
    for size in (1, 6):
        model, task = make()
        errors.append(fit_skip_adapters(model, task, rows, batches=6, batch_size=size))
        states.append({name: block.skip_adapter.up.bias.detach() for name, block in blocks_of(model).items()})
    assert "pixel_mask" in task.collate(rows)
    assert errors[0] == pytest.approx(errors[1], rel=1e-4)
    for name, bias in states[0].items():
        torch.testing.assert_close(bias, states[1][name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("family", ["meter", "bridgetower"])
def test_text_padding_of_two_streams_is_left_out(family: str, make, records: list[Record]) -> None:
    errors = []
    for size in (1, 3):
        model, task = make(family, scope="global")
        errors.append(fit_skip_adapters(model, task, records[:3], batches=3, batch_size=size))
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)


def test_a_skipped_block_is_nearer_to_the_kept_one(make, records: list[Record]) -> None:
    model, task = make(width=32)
    batch = task.collate(records[:8])

    @torch.no_grad()
    def distance() -> float:
        choose(model, ())
        whole = model(**batch).logits
        choose(model, ["1", "2"])
        return float((model(**batch).logits - whole).norm())

    without = distance()
    fit_skip_adapters(model, task, records)
    assert distance() < 0.5 * without


def test_constant_streams_and_leftover_units() -> None:
    moments = Moments(4, torch.device("cpu"))
    moments.add(torch.zeros(3, 4), torch.ones(3, 4))
    found = moments.regress(2)
    assert found.down.shape == (0, 4)
    assert found.error == pytest.approx(0, abs=1e-7)
    assert torch.equal(found.offset, torch.ones(4, dtype=torch.float64))


def test_same_weights_every_time(make, records: list[Record]) -> None:
    states = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        model, task = make()
        before = torch.get_rng_state()
        fit_skip_adapters(model, task, records)
        assert torch.equal(torch.get_rng_state(), before)
        states.append(model.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_what_cannot_be_fitted_or_was_not_is_refused(make, records: list[Record]) -> None:
    model, task = make()
    with pytest.raises(InputError, match="no records"):
        fit_skip_adapters(model, task, [])
    with pytest.raises(InputError, match="needs data; after insert, call skiptune"):
        fit(model, Experiment(task, records, training=TrainConfig(max_steps=1)))
    plain = load_model("vilt-tiny", task.model_class, **task.model_changes())
    bare = insert(plain, SkipConfig(block_adapter="none"))
    with pytest.raises(InputError, match="no skip adapters"):
        fit_skip_adapters(bare, task, records)
    fit_skip_adapters(model, task, records, batches=1)
    assert fit(model, Experiment(task, records, training=TrainConfig(max_steps=1, batch_size=4))).steps == 1


def test_a_recipe_fits_once_and_every_model_of_the_run_starts_so(tiny_recipe: Callable[..., Path]) -> None:
    recipe = read_recipe(
        tiny_recipe(
            adapters={"init": "fit", "skip_adapter": "bottleneck"}, search={"max_steps": 4}, train={"max_steps": 6}
        )
    )
    results = Run(recipe).all()
    folder = Path(recipe.output)
    errors = results.adapter_start.relative_error
    assert tuple(errors) == results.plan.blocks
    assert all(0 < error < 1 for error in errors.values())
    assert json.loads((folder / "adapter_start.json").read_text())["relative_error"] == errors
    starts = load_file(folder / "adapter_start.safetensors")
    for model in (Run(recipe).fresh_model(), Run(recipe).fresh_model()):
        own = dict(model.named_parameters())
        assert all(torch.equal(own[name], value) for name, value in starts.items())
