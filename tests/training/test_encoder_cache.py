"""Encoded images and texts that are kept: the same answers, known by content, shared, never of another model."""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import two_streams
from skiptune import (
    Budget,
    EncoderCache,
    Experiment,
    InputError,
    Record,
    Run,
    RunError,
    SearchConfig,
    SkipConfig,
    TrainConfig,
    Vqa,
    block_savings,
    choose,
    evaluate,
    fit,
    load_model,
    load_processor,
    read_recipe,
    search,
)
from skiptune.costs.example_inputs import example_inputs
from skiptune.families.meter.modeling import meter_of
from skiptune.searching.prefix_sharing import evaluate_each
from two_streams import BOTTLENECK, FUSION, NOISE, Batch, make_batch

METER = {"model": "meter-tiny", "encoder_cache": 1}


@pytest.fixture(scope="module")
def batch() -> Batch:
    return make_batch()


@pytest.fixture
def cache(tmp_path: Path) -> EncoderCache:
    return EncoderCache(tmp_path / "encoded.sqlite")


def make() -> Any:
    return two_streams.make("meter", BOTTLENECK, NOISE)


@torch.no_grad()
def logits(model: Any, batch: Batch) -> torch.Tensor:
    found: torch.Tensor = model(**batch).logits
    return found


def test_answers_stay_and_nothing_is_encoded_twice(cache: EncoderCache, batch: Batch) -> None:
    model = make()
    plain = logits(model, batch)
    with cache.attached(model):
        first = logits(model, batch)
        assert (cache.hits, cache.misses) == (0, 6)
        again = logits(model, batch)
        assert (cache.hits, cache.misses) == (6, 6)
    assert torch.equal(first, again)
    torch.testing.assert_close(first, plain, rtol=1e-5, atol=1e-6)
    assert torch.equal(logits(model, batch), plain)  # the model is as it was


def test_what_is_kept_does_not_depend_on_neighbours_padding_or_mode(tmp_path: Path, batch: Batch) -> None:
    model = make()
    short = {name: value[2:] for name, value in batch.items()}
    short |= {name: short[name][:, :3] for name in ("input_ids", "attention_mask")}  # the third text without padding
    whole, alone = EncoderCache(tmp_path / "whole"), EncoderCache(tmp_path / "alone")
    with whole.attached(model):
        logits(model.train(), batch)  # meter-tiny has dropout
        model.eval()
        found = logits(model, short)
    with alone.attached(model):
        assert torch.equal(logits(model, short), found)
    assert (whole.hits, alone.hits) == (2, 0)


def test_other_weights_are_another_encoder(cache: EncoderCache, batch: Batch) -> None:
    model = make()
    with cache.attached(model):
        logits(model, batch)
    with torch.no_grad():
        meter_of(model).clip.post_layernorm.bias += 1
    with cache.attached(model):
        changed = logits(model, batch)
    assert (cache.hits, cache.misses) == (3, 9)  # texts were found
    torch.testing.assert_close(changed, logits(model, batch), rtol=1e-5, atol=1e-6)


def test_an_encoder_in_training_is_not_looked_up(cache: EncoderCache, batch: Batch) -> None:
    model = make()
    meter_of(model).roberta.embeddings.LayerNorm.bias.requires_grad_(True)
    with cache.attached(model):
        model(**batch).loss.backward()
        logits(model, batch)
    assert (cache.hits, cache.misses) == (3, 3)  # images only
    assert meter_of(model).roberta.embeddings.LayerNorm.bias.grad.abs().sum() > 0


def test_subnetworks_of_a_batch_have_the_losses_of_each_by_itself(cache: EncoderCache, batch: Batch) -> None:
    model, sets = make(), [("text.0",), ("image.1", "text.2"), FUSION[:4]]
    with cache.attached(model):
        shared = {number: output.loss for number, output in evaluate_each(model, sets, lambda: model(**batch))}
        for number, blocks in enumerate(sets):
            alone = dict(evaluate_each(model, [blocks], lambda: model(**batch)))[0].loss
            assert torch.equal(shared[number], alone)
    assert cache.misses == 6
    assert "forward" not in vars(meter_of(model).roberta)
    assert "encode_text" not in vars(meter_of(model))


def test_copies_encode_for_themselves(cache: EncoderCache, batch: Batch) -> None:
    model = make()
    costs = block_savings(model, example_inputs(model, (48, 48), 7))
    with cache.attached(model):
        twin = copy.deepcopy(copy.deepcopy(model))
        assert block_savings(model, example_inputs(model, (48, 48), 7)) == costs
        with torch.no_grad():
            for weight in meter_of(twin).clip.parameters():
                weight.zero_()
        changed = logits(twin, batch)
        assert cache.misses == 0
        assert not torch.equal(logits(model, batch), changed)


def test_a_full_cache_encodes_what_it_has_no_room_for(tmp_path: Path, batch: Batch) -> None:
    model, cache = make(), EncoderCache(tmp_path / "encoded.sqlite", gib=1e-9)
    with cache.attached(model):
        first, again = logits(model, batch), logits(model, batch)
    assert (cache.hits, cache.misses) == (0, 12)
    assert torch.equal(first, again)


def test_models_of_one_base_share_a_file(cache: EncoderCache, batch: Batch) -> None:
    one, other = make(), two_streams.make("meter", two_streams.LORA, NOISE)
    with cache.attached(one), EncoderCache(cache.path).attached(other) as second:
        logits(one, batch)
        logits(other, batch)
    assert (second.hits, second.misses) == (6, 0)


def test_search_training_and_evaluation_with_it(cache: EncoderCache, parts: tuple[list[Record], list[Record]]) -> None:
    train, valid = parts
    task = Vqa.from_records(load_processor("meter-tiny"), train)
    model = load_model("meter-tiny", task.model_class, **task.model_changes())
    two_streams.insert(model, BOTTLENECK)
    training, config = TrainConfig(max_steps=6, batch_size=4), SearchConfig(max_steps=3, interval=1)
    experiment = Experiment(task, train, valid, Budget(num_skip=2), config, training)
    with cache.attached(model):
        plan = search(model, experiment)
        fit(model, experiment, plan, done=plan.steps)
        found = evaluate(model, task, valid)
    images, texts = {record.image for record in (*train, *valid)}, {record.text for record in (*train, *valid)}
    assert cache.misses <= len(images) + len(texts)
    assert found.loss == pytest.approx(evaluate(model, task, valid).loss, rel=1e-5)


def test_what_cannot_be_used_is_refused(cache: EncoderCache, tmp_path: Path, make_model: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="vilt has no encoders"), cache.attached(make_model()):
        pass
    (tmp_path / "notes.txt").write_text("hello " * 1000)
    with (
        pytest.raises(InputError, match=r"notes.txt: cannot be used"),
        EncoderCache(tmp_path / "notes.txt").attached(make()),
    ):
        pass
    assert (tmp_path / "notes.txt").read_text().startswith("hello")


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_weights(tiny_recipe: Callable[..., Path]) -> None:
    weights = []
    for name in ("whole", "resumed"):
        path = tiny_recipe(name, **METER)
        if name == "resumed":
            begun = Run(read_recipe(path))
            begun.check()
            begun.search()
        Run(read_recipe(path)).all()
        folder = Path(read_recipe(path).output)
        weights.append(load_file(folder / "trained.safetensors"))
        assert not list(folder.glob("encoded*"))  # of no use any more
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"encoder_cache": 0}, "encoder_cache: 0 is not a number of GiB above 0"),
        ({"encoder_cache": "big"}, "encoder_cache: 'big' is not a number"),
        ({"train": {"augment": {"n": 2, "m": 9}}}, "encoder_cache: train.augment shows other images"),
        ({"adapters": {"scope": "global"}}, "encoder_cache: with adapters.scope: global"),
    ],
)
def test_recipes_that_make_no_sense(changes: dict[str, Any], said: str, tiny_recipe: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=said):
        read_recipe(tiny_recipe(**{**METER, **changes}))


def test_a_run_of_another_family_is_refused_before_any_work(tiny_recipe: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="encoder_cache: vilt has no encoders"):
        Run(read_recipe(tiny_recipe(encoder_cache=1))).check()


def skip_in_the_text_encoder(model: Any, batch: Batch) -> Batch:
    choose(model, ["roberta.0"])
    return batch


def skip_in_the_image_encoder(model: Any, batch: Batch) -> Batch:
    choose(model, ["clip.0"])
    return batch


def another_epsilon(model: Any, batch: Batch) -> Batch:
    for module in meter_of(model).modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 0.1
    return batch


def another_configuration(model: Any, batch: Batch) -> Batch:
    meter_of(model).roberta.config.hidden_act = "relu"
    meter_of(model).clip.config.hidden_act = "relu"
    return batch


def another_type(model: Any, batch: Batch) -> Batch:
    model.to(torch.bfloat16)
    return {**batch, "pixel_values": batch["pixel_values"].bfloat16()}


def another_preparation(model: Any, batch: Batch) -> Batch:
    return {**batch, "pixel_values": batch["pixel_values"] * 0.5 + 0.1, "input_ids": batch["input_ids"].flip(1)}


@pytest.mark.parametrize(
    ("change", "hits"),
    [
        (skip_in_the_text_encoder, 3), (skip_in_the_image_encoder, 3), (another_epsilon, 0),
        (another_configuration, 0), (another_type, 0), (another_preparation, 0),
    ],
)  # fmt: skip
def test_what_an_output_depends_on_is_never_shared(
    change: Callable[[Any, Batch], Batch], hits: int, cache: EncoderCache, batch: Batch
) -> None:
    """The encoder that stayed as it was is found again."""

    def frozen() -> Any:
        model = two_streams.make("meter", SkipConfig(scope="global"), NOISE)
        return model.requires_grad_(False)

    model = frozen()
    with cache.attached(model):
        logits(model, batch)
    model = frozen()
    given = change(model, batch)
    expected = logits(model, given)
    with EncoderCache(cache.path).attached(model) as second:
        torch.testing.assert_close(logits(model, given), expected, rtol=1e-5, atol=1e-6)
    assert (second.hits, second.misses) == (hits, 6 - hits)


def test_blocks_chosen_while_it_is_attached(cache: EncoderCache, batch: Batch) -> None:
    model = two_streams.make("meter", SkipConfig(scope="global"), NOISE).requires_grad_(False)
    with cache.attached(model):
        whole = logits(model, batch)
        choose(model, ["clip.0"])
        assert not torch.equal(logits(model, batch), whole)
        choose(model, [])
        assert torch.equal(logits(model, batch), whole)
    assert (cache.hits, cache.misses) == (9, 9)


def test_a_damaged_row_is_encoded_again(cache: EncoderCache, batch: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    model = make()
    with cache.attached(model):
        expected = logits(model, batch)
    with closing(sqlite3.connect(cache.path)) as store:
        key, rows = store.execute("SELECT key, rows FROM outputs").fetchone()
        flipped = bytearray(rows)
        flipped[-1] ^= 1
        store.execute("UPDATE outputs SET rows = ? WHERE key = ?", (bytes(flipped), key))
        store.commit()
    for hits, misses in ((5, 1), (6, 0)):
        with EncoderCache(cache.path).attached(model) as again:
            assert torch.equal(logits(model, batch), expected)
        assert (again.hits, again.misses) == (hits, misses)
    assert "differfromwhatwaswritten" in "".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("value", [-1, 2**40, 1.5, "text", b""])
def test_a_row_of_another_type_is_encoded_again(cache: EncoderCache, batch: Batch, value: object) -> None:
    """SQLite keeps a value's type beside it, in bits that can flip."""
    model = make()
    with cache.attached(model):
        expected = logits(model, batch)
    with closing(sqlite3.connect(cache.path)) as store:
        store.execute("UPDATE outputs SET rows = ?", (value,))
        store.commit()
    with EncoderCache(cache.path).attached(model) as again:
        assert torch.equal(logits(model, batch), expected)
    assert (again.hits, again.misses) == (0, 6)


def test_a_full_disk_names_the_file(cache: EncoderCache, batch: Batch) -> None:
    model = make()

    def fill() -> None:
        with cache.attached(model):
            vars(meter_of(model))["encode_image"].store.execute("PRAGMA max_page_count = 4")
            logits(model, batch)

    with pytest.raises(RunError, match=r"encoded.sqlite: could not be written \(database or disk is full\)"):
        fill()
