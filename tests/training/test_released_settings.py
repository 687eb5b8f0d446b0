"""``preset: paper``, from a recipe to the optimizer, against the table of the released settings, by released name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from transformers import PreTrainedModel

from original_checkpoints import model_class, needs_golden, settings, state_of
from skiptune import InputError, TrainConfig, insert, load_model, load_processor, read_recipe
from skiptune.converting import Hints, adapters_of_state, layout_of_state, model_from_original, sizes_of_state
from skiptune.families.registry import families
from skiptune.inserting.parameter_groups import unfreeze
from skiptune.running.begun_run import as_begun
from skiptune.running.recipe import Recipe, with_preset
from skiptune.running.run_data import as_released
from skiptune.training.optimizer import optimizer_groups
from skiptune.training.schedule import Stretch
from skiptune.training.trainer import SkipTrainer
from skiptune.training.trainer_arguments import training_arguments

FAMILY = {family.name: family for family in families()}


class Run(NamedTuple):
    """A row of the table: the base rate, factors by part, and the batch."""

    base: float
    skip: float
    adapters: float
    poolers: float
    types: float
    head: float
    batch: int
    a_step: int
    image: int
    text: int


TABLE = {
    "meter-vqav2": Run(2.5e-5, 1, 5, 5, 1, 50, 32, 512, 384, 50),
    "meter-nlvr2": Run(5e-5, 1, 5, 5, 1, 10, 32, 256, 288, 50),
    "meter-flickr30k": Run(5e-5, 1, 5, 5, 1, 1, 2, 512, 384, 40),
    "vilt-vqav2": Run(1e-4, 1, 1, 1, 1, 10, 64, 256, 384, 40),
    "vilt-nlvr2": Run(5e-4, 1, 1, 1, 1, 1, 64, 128, 384, 40),
    "vilt-flickr30k": Run(5e-4, 1, 1, 1, 1, 1, 4, 256, 384, 40),
}
NO_DECAY = [f"{norm}.{kind}" for norm in ("LayerNorm", "norm", "norm1", "norm2") for kind in ("weight", "bias")]


def paper(name: str) -> Recipe:
    return with_preset(read_recipe(f"paper/{name}"), FAMILY[name.partition("-")[0]])


def factor(released: str, row: Run) -> float:
    """By the parts that a released name consists of."""
    if released.startswith(("adapter_list", "adapter_list_l", "adapter_list_v")):
        return row.skip
    if "pooler" in released:
        return row.poolers
    if "adapter" in released:
        return row.adapters
    if released.startswith(("token_type_embeddings", "token4classifier")):
        return row.types
    assert released.startswith(("vqa_classifier", "nlvr2_classifier", "rank_output")), released
    return row.head


def decays(released: str) -> bool:
    return "bias" not in released and not any(name in released for name in NO_DECAY)


def names_of(state: dict[str, Any]) -> dict[str, str]:
    """Our name of a parameter → the released one."""
    layout, found = layout_of_state(state), {}
    for released in state:
        place = layout._place(released)
        for kind in ("query", "key", "value", "q_proj", "k_proj", "v_proj") if place else ():
            found[re.sub(r"\([\w|]+\)", kind, place[1])] = released  # type: ignore[index]
    return found


def released_model(family: str, task: str) -> tuple[PreTrainedModel, dict[str, str]]:
    """The released model, small, and the released names of its parameters."""
    state, sizes = state_of(family, adapters=True), settings(family)["config"]
    layout = layout_of_state(state)
    labels = {"vqa": sizes["vqav2_label_size"], "reasoning": 2}.get(task, 1)
    found = sizes_of_state(layout, state, Hints(sizes["num_heads"], sizes["image_size"], sizes["max_text_len"]))
    config = layout.config_class(**{**found, "num_labels": labels, "modality_type_vocab_size": 3})
    adapters = adapters_of_state(layout, state)
    return model_from_original(state, config, model_class(family, task), adapters), names_of(state)


@needs_golden
@pytest.mark.parametrize("trained", ["adapters", "everything"])
@pytest.mark.parametrize("name", TABLE)
def test_every_parameter_has_the_rate_and_the_decay_of_the_table(name: str, trained: str, tmp_path: Path) -> None:
    recipe, row = paper(name), TABLE[name]
    model, names = released_model(name.partition("-")[0], recipe.task)
    if trained == "everything":  # only decay is in the released code then
        unfreeze(model)
    arguments = training_arguments(recipe.train, tmp_path, Stretch(0, 10, 10, 0.1))
    trainer = SkipTrainer(model, arguments, config=recipe.train, stretch=Stretch(0, 10, 10, 0.1))
    optimizer = trainer.create_optimizer()
    assert type(optimizer) is torch.optim.AdamW
    ours = {id(parameter): own for own, parameter in model.named_parameters()}
    seen = set()
    for group in optimizer.param_groups:
        assert (group["betas"], group["eps"]) == ((0.9, 0.98), 1e-8)
        for parameter in group["params"]:
            released = names[ours[id(parameter)]]
            seen.add(ours[id(parameter)])
            assert group["weight_decay"] == (0.01 if decays(released) else 0.0), released
            if trained == "adapters":
                assert group["lr"] == pytest.approx(row.base * factor(released, row)), released
    assert seen == {own for own, parameter in model.named_parameters() if parameter.requires_grad}
    if trained == "adapters":
        assert {"bias", "weight"} <= {own.rpartition(".")[2] for own in seen}
        assert {True, False} == {decays(names[own]) for own in seen}


@pytest.mark.parametrize("name", TABLE)
def test_a_recipe_has_the_rest_of_the_table(name: str) -> None:
    recipe, row = paper(name), TABLE[name]
    training = recipe.train
    assert (training.batch_size, training.batch_size * training.gradient_accumulation) == (row.batch, row.a_step)
    assert (training.epochs, training.weight_decay, training.warmup_ratio) == (10, 0.01, 0.1)
    assert (training.augment, training.max_grad_norm) == ({"n": 2, "m": 9}, 0)
    released = FAMILY[name.partition("-")[0]].released[recipe.task]
    assert (released.image_size, released.text_length) == (row.image, row.text)
    default = read_recipe(f"default/{name}").train
    assert default == training


def test_several_processes_accumulate_less(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, accumulation in ((1, 16), (4, 4), (16, 1), (64, 1)):
        monkeypatch.setenv("WORLD_SIZE", str(count))
        monkeypatch.setenv("LOCAL_RANK", "0")
        training = paper("meter-vqav2").train
        assert (training.batch_size, training.gradient_accumulation) == (32, accumulation)


def test_the_default_decays_matrices_and_knows_poolers_as_small_parts() -> None:
    model = insert(load_model("meter-tiny", "vqa", num_labels=3))
    config = TrainConfig(learning_rate=1.0, learning_rate_factors={"small_parts": 3})
    rates = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer_groups(model, config) for p in g["params"]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            small = "pooler" in name or "token_type" in name or "token4" in name
            assert rates[id(parameter)] == (3.0 if small else 1.0, 0.01 if parameter.ndim > 1 else 0.0), name
    apart = config.replace(learning_rate_factors={"small_parts": 3, "poolers": 5})
    rates = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer_groups(model, apart) for p in g["params"]}
    assert rates[id(model.meter.text_pooler.dense.weight)] == (5.0, 0.01)
    assert rates[id(model.meter.token_type_embeddings.weight)] == (3.0, 0.01)


def test_augmented_pictures_cannot_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("output: out\nmodel: meter-tiny\npreset: paper\nencoder_cache: 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"encoder_cache: train.augment shows other images every time"):
        with_preset(read_recipe(path))
    assert with_preset(read_recipe(path, ["train.augment={}"])).train.augment == {}


def test_a_run_that_0_3_began_keeps_what_the_preset_was_then(tmp_path: Path) -> None:
    then = {name: value for name, value in TrainConfig(batch_size=16).to_dict().items() if name != "decayed"}
    (tmp_path / "recipe.json").write_text(json.dumps({"preset": "paper", "output": "out", "train": then}))
    path = tmp_path / "r.yaml"
    path.write_text(f"output: {json.dumps(str(tmp_path))}\npreset: paper\ntrain: {{workers: 2}}\n", encoding="utf-8")
    recipe = with_preset(as_begun(read_recipe(path)), FAMILY["vilt"])
    assert recipe.train == TrainConfig(batch_size=16, workers=2)


def test_texts_are_cut_where_the_released_run_did(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("output: out\nmodel: bridgetower-tiny\ntask: retrieval\npreset: paper\n", encoding="utf-8")
    processor = load_processor("bridgetower-tiny")
    assert processor.tokenizer.model_max_length > 40
    as_released(read_recipe(path), processor)
    assert processor.tokenizer.model_max_length == 40
    assert "has images of 48 pixels, the released run 384" in " ".join(capsys.readouterr().err.split())
