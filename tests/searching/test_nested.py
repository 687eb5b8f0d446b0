"""One training for every number of skipped blocks: an order, a loss for each, exports of any, resumed bit-equal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from decoder_training import HALVES, SEARCH, KillAt, KilledError, collate, decoder, rows, trainer_of
from skiptune import Budget, Experiment, InputError, Plan, SkipConfig, TrainConfig, choose, export, fit, load, search
from skiptune.inserting.selection import skipped_blocks

NESTED = SEARCH.replace(strategy="leave_one_out", batches=1, max_steps=2, nested=True)


class Watched(TrainerCallback):
    """What is skipped in each step."""

    def __init__(self, model: Any) -> None:
        self.model, self.skipped = model, []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.skipped.append(skipped_blocks(self.model))


def trained(folder: Path, kills: list[int | None], **changes: Any) -> tuple[Any, Plan, list[tuple[str, ...]]]:
    for kill in kills:
        model = decoder(HALVES)
        watched = Watched(model)
        trainer, callback = trainer_of(
            model,
            folder,
            Budget(num_skip=4),
            NESTED,
            callbacks=[watched, *([] if kill is None else [KillAt(kill)])],
            **{"max_steps": 12, **changes},
        )
        try:
            trainer.train(resume_from_checkpoint=bool(list(folder.glob("checkpoint-*"))))
        except KilledError:
            assert kill is not None
    assert callback.plan is not None
    return model, callback.plan, watched.skipped


def test_every_beginning_is_trained_measured_and_exported(tmp_path: Path) -> None:
    model, plan, skipped = trained(tmp_path, [None])
    nested = plan.nested
    assert nested is not None
    assert set(nested.order) == set(plan.skipped) == set(skipped_blocks(model))
    beginnings = [set(nested.order[:count]) for count in range(5)]
    counts = Counter(len(step) for step in skipped[2:])
    assert set(counts) > {4}
    assert all(set(step) == beginnings[len(step)] for step in skipped[2:])
    assert plan.first(4).skipped == plan.skipped
    held_out = rows(12, seed=1)
    for count, loss in enumerate(nested.losses):
        smaller = plan.first(count)
        choose(model, smaller.skipped)
        assert loss == pytest.approx(model.eval()(**collate(held_out)).loss.item(), rel=1e-5)
    again = Plan.from_dict(plan.to_dict())
    assert again.nested == nested
    assert "losses:    0: " in str(again)
    slim = load(export(model, tmp_path / "slim", plan.first(2)))
    choose(model, plan.first(2).skipped)
    ids = collate(held_out)["input_ids"]
    with torch.no_grad():
        torch.testing.assert_close(slim(ids).logits, model(ids).logits, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match=r"skip count 5: not in \[0, 4\]"):
        plan.first(5)
    with pytest.raises(InputError, match=r"needs search.nested"):
        Plan("llama", ("0", "1"), ("0",)).first(0)


def test_a_killed_nested_training_ends_bit_equal(tmp_path: Path) -> None:
    saving = {"save_strategy": "steps", "save_steps": 1, "max_steps": 6}
    (model, plan, _), (again, resumed, _) = (
        trained(tmp_path / "whole", [None], max_steps=6),
        trained(tmp_path / "killed", [1, 4, None], **saving),
    )
    assert plan.nested == resumed.nested
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_search_and_fit_are_nested_too(make_model, task, parts, tmp_path: Path) -> None:
    training = TrainConfig(max_steps=8, batch_size=8)
    for strategy in ("leave_one_out", "random"):
        settings = NESTED.replace(strategy=strategy, reward_batch_size=8)
        experiment = Experiment(task, *parts, Budget(num_skip=2), settings, training)
        model = make_model(SkipConfig())
        watched = Watched(model)
        plan = search(model, experiment, tmp_path / strategy)
        assert plan.nested is not None
        fit(model, experiment, plan, tmp_path / strategy, plan.steps, callbacks=[watched])
        taken = watched.skipped[-6:]
        assert {len(step) for step in taken} == {1, 2}
        assert all(set(step) == set(plan.nested.order[: len(step)]) for step in taken)
        assert skipped_blocks(model) == plan.skipped
