"""A run whose skip adapters are linear and folded: fitted, trained, exported in every form, at no cost."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import ViltForQuestionAnswering

from skiptune import InputError, Run, SharedBase, SkipConfig, export, insert, load, load_task, prune, read_recipe

CHANGES = {
    "adapters": {"skip_adapter": "folded", "init": "fit"},
    "search": {"max_steps": 4},
    "train": {"max_steps": 6},
    "baselines": [],
}


def test_a_run_with_folded_adapters(tiny_recipe: Callable[..., Path], base_folder: Path, tmp_path: Path) -> None:
    run = Run(read_recipe(tiny_recipe(model=str(base_folder), **CHANGES)))
    results = run.all()
    errors = results.adapter_start.relative_error
    assert errors.pop("0") == 1.0  # no block before it takes the adapter up
    assert all(0 < error < 1 for error in errors.values())

    original, (model, plan, task) = run.models.original(), run.trained()
    blocks = [original.vilt.encoder.layer[int(name)] for name in plan.skipped]
    count = sum(p.numel() for p in original.parameters()) - sum(p.numel() for b in blocks for p in b.parameters())
    assert results.parameters.slim == count == sum(p.numel() for p in load(run.folder / "slim").parameters())
    assert results.operations.with_adapters == results.operations.original

    batch = task.collate(run.data.train[:4])
    with torch.no_grad():
        wanted = model.eval()(**batch).logits
        export(model, tmp_path / "adapters", plan, task, form="adapters", base=str(base_folder))
        export(model, tmp_path / "plain", plan, task, form="plain")
        shared = SharedBase(str(base_folder))
        found = {
            "pruned": prune(copy.deepcopy(model), plan),
            "slim": load(run.folder / "slim"),
            "adapters": load(tmp_path / "adapters"),
            "shared": shared.attach("one", tmp_path / "adapters"),
            "plain": load(tmp_path / "plain"),
        }
        for name, slim in found.items():
            assert (slim(**batch).logits - wanted).norm() <= 1e-5 * wanted.norm(), name
    assert load_task(tmp_path / "adapters", found["adapters"]).answers == task.answers
    _, read = ViltForQuestionAnswering.from_pretrained(tmp_path / "plain", output_loading_info=True)
    assert not read["missing_keys"]
    assert not read["unexpected_keys"]
    alone = insert(run.models.original(), SkipConfig(block_adapter="none", skip_adapter="folded"))
    with pytest.raises(InputError, match="skip adapters are folded into its weights"):
        shared.attach("two", export(alone, tmp_path / "alone", plan))
