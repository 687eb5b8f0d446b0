"""Searching in decoders: shared beginnings change no bit, losses are means over answer tokens, all budgets work."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from decoder_training import HALVES, LORA, SEARCH, KillAt, KilledError, collate, decoder, rows, trainer_of
from skiptune import (
    Budget,
    InputError,
    SearchConfig,
    SkipConfig,
    TokenSchedule,
    choose,
    fit_skip_adapters_on,
    insert,
)
from skiptune.costs.block_costs import BlockCosts
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.latency import time_blocks
from skiptune.costs.macs import count_blocks
from skiptune.costs.token_costs import count_tokens
from skiptune.inserting.selection import blocks_of, skipped_blocks
from skiptune.inserting.stream_hooks import stream_hooks
from skiptune.searching.evaluator import Evaluator
from skiptune.searching.feasible_sets import FeasibleSets
from skiptune.searching.held_out import HeldOut
from skiptune.searching.prefix_sharing import block_runs, evaluate_each
from skiptune.searching.protected import protected_blocks
from skiptune.searching.strategies import make_strategy
from skiptune.searching.token_pool import mixtures_of, places_of
from tiny_decoders import TEXT, VLM, padded_pairs, text_decoder, vlm


def evaluator_of(model: Any, folder: Path, held_out: Any = None, batch_size: int = 12) -> Evaluator:
    trainer, _ = trainer_of(model, folder)
    return Evaluator(HeldOut(trainer, rows(12, seed=1) if held_out is None else held_out, 0), batch_size)


@pytest.mark.parametrize("config", [LORA, HALVES], ids=["layers", "halves"])
@pytest.mark.parametrize("name", TEXT)
def test_shared_beginnings_change_no_bit(name: str, config: SkipConfig) -> None:
    model, batch = decoder(config, name), collate(rows(3))
    names = list(blocks_of(model))
    sets = [names[:1], names[-1:], names[:2], names[1:3], names[::3], names[1:]]
    plain = []
    with torch.no_grad():
        for skipped in sets:
            choose(model, skipped)
            plain.append(model(**batch))
    assert model.config.use_cache
    for number, found in evaluate_each(model, sets, lambda: model(**batch)):
        assert torch.equal(found.loss, plain[number].loss)
        assert torch.equal(found.logits, plain[number].logits)
        assert found.get("past_key_values", found.get("cache")) is None
    assert model.config.use_cache


@pytest.mark.parametrize("name", VLM)
def test_shared_beginnings_of_two_stacks_change_no_bit(name: str) -> None:
    model = insert(vlm(name), LORA.replace(scope="global")).eval()
    names, batch = list(blocks_of(model)), padded_pairs(name)
    sets = [[names[0]], [names[0], names[-1]], [names[2], names[-2]], names[1:-1:2]]
    plain = []
    with torch.no_grad():
        for skipped in sets:
            choose(model, skipped)
            plain.append(model(**batch).logits)
    for number, found in evaluate_each(model, sets, lambda: model(**batch).logits):
        assert torch.equal(found, plain[number])


def test_candidates_of_a_round_share_their_beginning(tmp_path: Path) -> None:
    evaluator = evaluator_of(decoder(LORA.replace(skip_adapter="bottleneck")), tmp_path, batch_size=4)
    sets = list(combinations(range(4), 2))
    alone = [evaluator.losses([one], 0)[0] for one in sets]
    evaluator.block_runs.clear()
    assert evaluator.losses(sets, 0) == alone
    named = [evaluator.named(one) for one in sets]
    assert evaluator.block_runs.total() == block_runs(named, evaluator.names) < 2 * len(sets)


def test_an_output_that_the_model_changes_is_handed_out_as_it_was() -> None:
    model, batch = decoder(), collate(rows(2))
    embed = model.get_input_embeddings()

    def change(module: Any, args: Any, output: Any) -> Any:
        return output.mul_(1.5)  # in place, as Qwen2.5-VL changes what its tower gives

    embed.register_forward_hook(change)
    sets = [["0"], ["1"], ["0", "1"]]
    plain = []
    for skipped in sets:
        choose(model, skipped)
        plain.append(model(**batch).loss)
    for number, found in evaluate_each(model, sets, lambda: model(**batch).loss):
        assert torch.equal(found, plain[number])


def test_the_loss_of_a_batch_is_a_mean_over_its_answer_tokens(tmp_path: Path) -> None:
    model, held_out = decoder(), rows(12, seed=1)
    nothing = {"input_ids": held_out[0]["input_ids"], "labels": [-100] * len(held_out[0]["labels"])}
    found = evaluator_of(model, tmp_path, [*held_out[:11], nothing]).losses([(), (1,)], 0)  # in pieces of four
    for skipped, loss in zip(([], ["1"]), found, strict=True):
        choose(model, skipped)
        assert loss == pytest.approx(model(**collate(held_out[:11])).loss.item(), rel=1e-6)
    counts = [sum(label >= 0 for label in row["labels"]) for row in held_out]
    assert len(set(counts)) > 3
    with pytest.raises(InputError, match="all labels of a batch are -100"):
        evaluator_of(model, tmp_path, [nothing] * 4, 4).losses([()], 0)


@pytest.mark.parametrize("strategy", ["leave_one_out", "first_order", "gate_probe"])
def test_batches_without_labels_give_way_to_the_next(strategy: str, tmp_path: Path) -> None:
    model, held_out = decoder(), rows(2, seed=1)
    held_out += [{**row, "labels": [-100] * len(row["labels"])} for row in rows(10)]
    search = SearchConfig(strategy=strategy, max_steps=2, reward_batch_size=2, batches=2)
    trainer, callback = trainer_of(model, tmp_path, search=search, held_out=held_out, max_steps=3)
    trainer.train()
    assert len(callback.plan.skipped) == 2
    evaluator = Evaluator(HeldOut(trainer, held_out, 0), 2)
    taken = {batch["labels"].ne(-100).sum().item() for number in range(6) for _, batch in evaluator.pieces(number)}
    assert 0 not in taken
    refused, _ = trainer_of(model, tmp_path, search=search, held_out=held_out[2:])
    refused.add_callback(KillAt(0))
    with pytest.raises(InputError, match="all labels of a batch are -100"):
        refused.train()


def test_a_model_without_anything_to_train_is_refused(tmp_path: Path) -> None:
    trainer, _ = trainer_of(decoder(SkipConfig(block_adapter="none", skip_adapter="none")), tmp_path)
    with pytest.raises(InputError, match="nothing in this model is trained; insert adapters"):
        trainer.train()


def test_adapters_are_fitted_before_they_are_trained(tmp_path: Path) -> None:
    model = insert(text_decoder("llama"), LORA.replace(skip_adapter="folded", init="fit"))
    trainer, callback = trainer_of(model, tmp_path, search=SEARCH.replace(strategy="last"), max_steps=1)
    with pytest.raises(InputError, match=r"init: 'fit' needs data.*fit_skip_adapters_on\(model, batches\)"):
        trainer.train()
    with pytest.raises(InputError, match="there are no batches to fit to"):
        fit_skip_adapters_on(model, [])
    fit_skip_adapters_on(model, [{**collate(rows(2)), "return_dict": True}])
    trainer.train()
    assert callback.plan.skipped == ("2", "3")


@pytest.mark.parametrize("config", [LORA, HALVES], ids=["layers", "halves"])
@pytest.mark.parametrize("budget", [Budget(num_skip=2), Budget(macs=-0.25), Budget(latency=-0.05)], ids=str)
def test_a_search_in_a_stock_trainer(
    budget: Budget, config: SkipConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(model: Any, inputs: Any, **steps: Any) -> BlockCosts:
        """Each block's time is taken, and taken for a tenth of the model's: tests share the machine."""
        return BlockCosts(
            1.0, 1.0, dict.fromkeys(time_blocks(model, inputs, repeats=1, warmup=0, **steps).savings, 0.1)
        )

    monkeypatch.setattr("skiptune.searching.budget.time_blocks", timed)
    model = decoder(config)
    trainer, callback = trainer_of(model, tmp_path, budget, SEARCH.replace(strategy="leave_one_out", batches=1))
    trainer.train()
    plan = callback.plan
    assert plan.skipped == skipped_blocks(model)
    assert len(plan.skipped) == 1 if budget.latency else plan.skipped
    assert len(plan.report.allowance.savings) == len(plan.blocks)


def test_a_killed_training_of_a_decoder_ends_bit_equal(tmp_path: Path) -> None:
    found = {}
    for name, kills in (("whole", [None]), ("killed", [2, 4, None])):
        for kill in kills:
            model = decoder()
            others = [] if kill is None else [KillAt(kill)]
            settings = {"save_strategy": "steps", "save_steps": 1, "callbacks": others}
            trainer, callback = trainer_of(
                model, tmp_path / name, search=SEARCH.replace(strategy="policy", max_steps=3), **settings
            )
            try:
                trainer.train(resume_from_checkpoint=bool(list((tmp_path / name).glob("checkpoint-*"))))
            except KilledError:
                assert kill is not None
        found[name] = callback.plan, model.state_dict()
    (plan, whole), (again, killed) = found["whole"], found["killed"]
    assert plan.preferences == again.preferences
    assert all(torch.equal(value, killed[name]) for name, value in whole.items())


class Counted(TrainerCallback):
    """How many layers each step of a training skipped."""

    def __init__(self, model: Any) -> None:
        self.model, self.numbers = model, list[int]()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.numbers.append(len(skipped_blocks(self.model)))


@pytest.mark.parametrize("placement", ["lavin_router", "llava"])
def test_the_released_searches_in_a_stock_trainer(placement: Any, tmp_path: Path) -> None:
    model = decoder(SkipConfig(placement=placement, block_width=4))
    counted, started = Counted(model), {name: one.clone() for name, one in model.named_parameters()}
    released = SearchConfig.llava() if placement == "llava" else SearchConfig.lavin()
    settings = released.replace(epochs=2, warmup_epochs=1, interval=2, candidates=3)
    trainer, callback = trainer_of(model, tmp_path, search=settings, max_steps=13, callbacks=[counted])
    trainer.train()
    assert counted.numbers == ([1] if placement == "llava" else [2]) + [2] * 12
    assert callback.plan is not None
    assert len(callback.plan.skipped) == 2
    assert len(callback.plan.report.rounds) == 3
    moved = {name for name, one in model.named_parameters() if not torch.equal(one, started[name])}
    assert moved
    assert all("adapter" in name for name in moved)


@pytest.mark.parametrize("parts", [("attention", "mlp"), ("mlp",), ("attention",)], ids=str)
@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_streams_around_halves_are_those_of_the_layers(name: str, parts: Any) -> None:
    model, batch = decoder(LORA.replace(parts=parts), name), collate(rows(2))
    found: dict[str, tuple[Any, Any, Any]] = {}
    with torch.no_grad(), stream_hooks(model, lambda block, *streams: found.update({block: streams})):
        states = model(**batch, output_hidden_states=True).hidden_states
    assert list(found) == list(blocks_of(model))
    for block, (before, after, mask) in found.items():
        layer, half = int(block.partition(".")[0]), block.partition(".")[2]
        if half == "attention":
            assert torch.equal(before, states[layer])
        elif layer < 3:  # the last state is normed
            assert torch.equal(after, states[layer + 1])
        assert torch.equal(mask, batch["attention_mask"].bool()) or name == "gemma2"
        if len(parts) == 2 and half == "mlp":
            assert torch.equal(before, found[f"{layer}.attention"][1])


def test_protected_blocks_are_kept(tmp_path: Path) -> None:
    for strategy in ("bandit", "policy"):
        model = decoder()
        settings = SEARCH.replace(strategy=strategy, keep=[0, "3"], candidates=2)
        budget = Budget(num_skip=1)
        trainer, callback = trainer_of(model, tmp_path, budget, settings)
        trainer.train()
        assert set(callback.plan.skipped) < {"1", "2"}, strategy
        assert callback.plan.report.protected == {"0": "search.keep names it", "3": "search.keep names it"}
        assert set(callback.plan.random(seed=3)) <= {"1", "2"}
    for strategy, chosen in {"random": None, "first": (1, 2), "last": (4, 5), "even": (2, 5)}.items():
        feasible = FeasibleSets((0.0, 1.0, 1.0, 0.0, 1.0, 1.0), 2.0)
        found = make_strategy(feasible, SearchConfig(strategy=strategy), 0, tuple("012345")).best()
        assert found == chosen or (chosen is None and not {0, 3} & set(found))
    reasons = protected_blocks(insert(vlm("qwen3_vl"), HALVES), SearchConfig(keep=["1"]))
    assert list(reasons) == ["0.attention", "0.mlp", "1.attention", "1.mlp"]
    assert "by their places" in reasons["1.mlp"]
    with pytest.raises(InputError, match="num_skip: 3 cannot be met without blocks that must be kept"):
        trainer_of(decoder(), tmp_path, Budget(num_skip=3), SEARCH.replace(keep=["0", "3"]))[0].train()
    with pytest.raises(InputError, match=r"macs: -0.9 cannot be met without .* skipping all other 4 of 8 blocks"):
        trainer_of(decoder(HALVES), tmp_path, Budget(macs=-0.9), SEARCH.replace(keep=["0", "3"]))[0].train()
    with pytest.raises(InputError, match=r"search.keep:\s.*'9': no such block"):
        trainer_of(decoder(), tmp_path, search=SEARCH.replace(keep=["9"]))[0].train()


def decided(strategy: str, model: Any, folder: Path, skip: int = 2, **settings: Any) -> Any:
    """A strategy that has chosen, on a model as it is."""
    evaluator = evaluator_of(model, folder, batch_size=6)
    names = evaluator.names
    config = SearchConfig(strategy=strategy, batches=2, **settings)
    feasible = FeasibleSets(tuple(float(name not in settings.get("keep", ())) for name in names), float(skip))
    found = make_strategy(feasible, config, 0, names)
    found.decide(evaluator, 1)
    return found


def states_of(model: Any, folder: Path) -> tuple[list[Any], Any]:
    """Hidden states before each layer and behind the last, of the first two held-out batches together."""
    choose(model, [])
    held_out = evaluator_of(model, folder, batch_size=6).held_out
    numbers = [*held_out.rows_of(0, 6), *held_out.rows_of(1, 6)]
    batch = collate([held_out.rows[row] for row in numbers])
    states: dict[int, Any] = {}
    with torch.no_grad(), stream_hooks(model, lambda name, x, y, _: states.update({int(name): x, int(name) + 1: y})):
        model(**batch)
    return [states[place] for place in sorted(states)], batch["attention_mask"].bool()


@pytest.mark.parametrize("parts", [(), ("attention", "mlp")], ids=["layers", "halves"])
def test_the_stretch_of_least_distance(parts: Any, tmp_path: Path) -> None:
    model = decoder()
    states, mask = states_of(model, tmp_path)
    last = mask.sum(1) - 1
    rows_ = torch.arange(len(mask))

    def angle(first: int) -> float:
        cosine = torch.cosine_similarity(states[first], states[first + 2], dim=-1)[rows_, last]
        return float((torch.arccos(cosine) / torch.pi).mean())

    def distance(first: int) -> float:
        return float((1 - torch.cosine_similarity(states[first], states[first + 2], dim=-1))[mask].mean())

    model = decoder(LORA.replace(parts=parts))
    for strategy, measure in (("angular", angle), ("replaceme", distance)):
        wanted = [measure(first) for first in range(3)]
        found = decided(strategy, model, tmp_path, skip=4 if parts else 2)
        if not parts:  # halves also have stretches from the middle of a layer
            best = wanted.index(min(wanted))
            assert found.choice == (best, best + 1)
            assert max(found.preferences) == pytest.approx(-min(wanted), rel=1e-4)
        assert np.ptp(found.choice) == len(found.choice) - 1
        kept = decided(strategy, model, tmp_path, skip=2, keep=("1", "1.attention"))
        assert kept.names.index("1.attention" if parts else "1") not in kept.choice


def test_stretches_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stretch of neighbouring blocks meets the budget"):
        decided("angular", decoder(), tmp_path, keep=("1", "3"))
    with pytest.raises(InputError, match="of these only mlp can be skipped"):
        decided("replaceme", decoder(LORA.replace(parts=("mlp",))), tmp_path)


@pytest.mark.parametrize("parts", [(), ("attention", "mlp")], ids=["layers", "halves"])
def test_gate_scores_are_derivatives(parts: Any, tmp_path: Path) -> None:
    model = decoder(LORA.replace(parts=parts))
    found = decided("gate_probe", model, tmp_path)
    held_out = evaluator_of(model, tmp_path, batch_size=6).held_out
    examples = [collate([held_out.rows[row]]) for number in (0, 1) for row in held_out.rows_of(number, 6)]
    block = blocks_of(model)[found.names[1]]
    gate = torch.ones((), requires_grad=True)

    def gated(module: Any, args: Any, output: Any) -> Any:
        y = output if torch.is_tensor(output) else output[0]
        scaled = gate * y if parts else args[0] + gate * (y - args[0])
        return scaled if torch.is_tensor(output) else (scaled, *output[1:])

    block.register_forward_hook(gated)
    slopes = [torch.autograd.grad(model(**batch).loss, gate)[0] for batch in examples]
    assert -found.preferences[1] == pytest.approx(float(torch.stack(slopes).square().mean().sqrt()), rel=1e-4)


@pytest.mark.parametrize("steps", [pytest.param(0, marks=pytest.mark.slow), 3])
def test_costs_where_image_tokens_pass_layers_unchanged_are_those_that_are_counted(steps: int) -> None:
    model = insert(vlm("llava"), LORA).eval()
    inputs = example_inputs(model, (16, 16), 8)
    costs = count_tokens(model, inputs, places_of(model), "merge", steps)
    assert list(costs.frozen) == list(blocks_of(model))
    for keep, frozen in (({"1": 0.5}, ("2", "3")), ({}, ("1", "2", "3"))):
        schedule = TokenSchedule(keep=keep, frozen=frozen)
        wanted, read = count_blocks(model, inputs, steps, schedule), costs.at(schedule)
        assert read.savings == pytest.approx(wanted.savings, rel=1e-6)
        assert read.adapted == pytest.approx(wanted.adapted, rel=0.02)


def test_mixtures_let_image_tokens_pass_the_last_layers_unchanged() -> None:
    model = insert(vlm("llava"), LORA).eval()
    costs = count_tokens(model, example_inputs(model, (16, 16), 8), places_of(model), "merge")
    found = mixtures_of(costs, Budget(macs=-0.3), SearchConfig(tokens="merge"), {})
    frozen = {tokens.frozen for tokens in found.schedules}
    assert frozen >= {(), ("3",), ("2", "3")}
    assert found.coordinates.shape == (len(found.schedules), len(costs.places) + 1)
    generator = np.random.default_rng(0)
    names = list(blocks_of(model))
    for _ in range(50):
        *blocks, last = found.drawn(generator)
        tokens = found.schedules[last - len(names)] if last >= len(names) else None
        skipped = [names[block] for block in blocks + [last] * (tokens is None)]
        assert costs.at(tokens).with_skipped(skipped) <= 0.7 * costs.original + 1e-9
