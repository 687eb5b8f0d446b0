"""Checked as a whole: all problems at once, in sentences that name the field, its value and what is valid."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from skiptune import Budget, InputError, SearchConfig, SkipConfig, TrainConfig
from skiptune.core.validation import Problems, problem_lines
from skiptune.data.data_config import DataConfig
from skiptune.methods.compare_config import METHOD_NAMES, CompareConfig
from skiptune.methods.registry import METHODS
from skiptune.running.recipe import Recipe
from skiptune.tasks.registry import TASKS

RECIPE: dict[str, Any] = {"output": "out"}


def lines(kind: Any, values: object) -> list[str]:
    with pytest.raises(InputError) as refusal:
        kind.from_dict(values)
    return problem_lines(refusal.value)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("epochs", True, "epochs: True is not a number in [1e-06, 1e+06]"),
        ("epochs", "3", "epochs: '3' is not a number in [1e-06, 1e+06]"),
        ("epochs", float("nan"), "epochs: nan is not a number in [1e-06, 1e+06]"),
        ("max_grad_norm", float("inf"), "max_grad_norm: inf is not a number of at least 0"),
        ("batch_size", 1.0, "batch_size: 1.0 is not a whole number of at least 1"),
        ("batch_size", 2**31, "batch_size: 2147483648 is not a whole number of at least 1"),
        ("save_steps", 0, "save_steps: 0 is not a whole number of at least 1, or null"),
        ("learning_rate_factors", [1], "learning_rate_factors: [1] is not a mapping"),
        ("learning_rate_factors", {"head": -1}, "learning_rate_factors.head: -1 is not a number of at least 0"),
        ("learning_rate_factors", {"haed": 1}, "learning_rate_factors.haed: unknown field; did you mean 'head'?"),
        ("augment", {1: 1}, "augment.1: unknown field; valid: n, m"),
        ("augment", {"n": 0}, "augment.n: 0 is not a whole number in [1, 100]"),
        ("seed", -1, "seed: -1 is not a whole number in [0, 2147483647]"),
        ("seed", 10**20, "seed: 100000000000000000000 is not a whole number in [0, 2147483647]"),
        ("epohcs", 3, "epohcs: unknown field; did you mean 'epochs'?"),
        ("optimizer", "AdamW", "optimizer: 'AdamW'; did you mean 'adamw_torch'?"),
        ("optimizer", "adam", "optimizer: 'adam'; did you mean 'adamw_torch'?"),
    ],
)
def test_a_problem_names_field_value_and_what_is_valid(field: str, value: object, said: str) -> None:
    assert lines(TrainConfig, {field: value}) == [said]


def test_all_problems_are_told_at_once_each_once_and_with_its_section() -> None:
    sections = {
        "output": "\0",
        "model": None,
        "data": {"name": "jsonl", "train": [1], "test_share": 1},
        "adapters": {"block_adapter": "lroa", "init": []},
        "search": {"epochs": 1, "warmup_epochs": 2, "candidates": 1},
        "train": 3,
        "bench": {"batch_sizes": [1, 0]},
        "compare": {"methods": ["lroa", "full"], "levels": [0.5], "seeds": [1, 1]},
        "retrieval": {},
        "serch": {},
    }
    assert lines(Recipe, sections) == [
        "output: '\\x00' is not a text",
        "model: None is not a text",
        "data.train: [1] is not a path",
        "data.images: missing; name: jsonl needs it",
        "data.test_share: 1 is not between 0 and 1",
        "adapters.block_adapter: 'lroa'; did you mean 'lora'?",
        "adapters.init: []; valid: zero, paper, fit",
        "search.warmup_epochs: 2 leaves nothing of epochs=1 for the search",
        "search.candidates: 1 is not a whole number in [2, 10000]",
        "train: 3 is not a mapping",
        "bench.batch_sizes: 0 is not a whole number of at least 1",
        "compare.methods: 'lroa'; did you mean 'lora'?",
        "compare.seeds: 1, 1: one is named twice",
        "compare.levels: 0.5 is not a number of blocks, nor between -1 and 0",
        "retrieval: settings of another task than 'vqa'; leave them out",
        "serch: unknown field; did you mean 'search'?",
    ]


def test_a_list_without_valid_entries_is_one_problem() -> None:
    assert lines(CompareConfig, {"methods": ["fulll"]}) == ["methods: 'fulll'; did you mean 'full'?"]
    assert lines(CompareConfig, {"methods": []}) == ["methods: () is not a list with an entry"]
    assert lines(CompareConfig, {"methods": [], "seeds": [-1]}) == [
        "methods: () is not a list with an entry",
        "seeds: -1 is not a whole number in [0, 2147483647]",
    ]


def test_problems_inside_a_problem_are_indented() -> None:
    inner, outer, again = Problems("inner"), Problems("outer"), Problems("again")
    inner.add("one")
    inner.add("two")
    outer.add(str(inner.error()))
    outer.add("three")
    assert str(outer.error()) == "outer:\n  - inner:\n    - one\n    - two\n  - three"
    for line in problem_lines(outer.error()):
        again.add(line)
    assert str(again.error()).removeprefix("again") == str(outer.error()).removeprefix("outer")
    assert problem_lines(InputError("only this")) == ["only this"]


def test_what_is_no_mapping_is_said_so() -> None:
    assert lines(TrainConfig, [1]) == ["expected a mapping, found list"]
    assert lines(Recipe, None) == ["expected a mapping, found NoneType"]


def test_making_and_changing_one_are_checked_alike() -> None:
    for make in (lambda: TrainConfig(epochs=-1), lambda: TrainConfig().replace(epochs=-1)):
        with pytest.raises(InputError, match="epochs: -1 is not a number"):
            make()
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        TrainConfig().replace(epoch=1)
    with pytest.raises(InputError, match="give exactly one of them"):
        Budget(num_skip=1).replace(macs=-0.2)
    with pytest.raises(ValueError, match="frozen"):
        TrainConfig().epochs = 3  # type: ignore[misc]


def test_replace_keeps_what_is_not_named_and_remembers_what_was_given() -> None:
    changed = SearchConfig.paper().replace(candidates=9)
    assert changed == SearchConfig(**{**SearchConfig.paper().to_dict(), "candidates": 9})
    assert TrainConfig(epochs=2).replace(seed=1).model_fields_set == {"epochs", "seed"}


def test_whole_numbers_are_written_as_they_were_given_and_lists_are_tuples() -> None:
    assert repr(TrainConfig.from_dict({"epochs": 2, "learning_rate": 1}).to_dict()["epochs"]) == "2"
    data = DataConfig(name="arrow", train=["a", "b"])  # type: ignore[arg-type]
    assert (data.train, data.to_dict()["train"]) == (("a", "b"), ["a", "b"])
    assert pickle.loads(pickle.dumps(data)) == data


def test_presets_fill_in_what_the_recipe_leaves_open() -> None:
    paper = Recipe.from_dict({**RECIPE, "preset": "paper", "adapters": {"block_width": 8}})
    assert (paper.start, paper.search) == ("pretrained", SearchConfig.paper())
    assert paper.adapters == SkipConfig.paper().replace(block_width=8)
    for name, adapters, search in (
        ("lavin", SkipConfig.lavin(), SearchConfig.lavin()),
        ("llava", SkipConfig.llava(), SearchConfig.llava()),
    ):
        released = Recipe.from_dict({**RECIPE, "preset": name})
        assert (released.start, released.adapters, released.search) == ("pretrained", adapters, search)
    own = Recipe.from_dict({**RECIPE, "adapters": {"lora_rank": 2}, "budget": {}})
    assert own.adapters == SkipConfig(block_adapter="lora", lora_rank=2)
    assert (own.start, own.budget, own.baselines) == ("search", Budget(num_skip=4), ("unskipped",))
    assert Recipe.from_dict({**RECIPE, "baselines": []}).baselines == ()


def test_names_that_recipes_are_checked_against_are_those_of_the_tables() -> None:
    assert tuple(METHODS) == METHOD_NAMES
    for task in TASKS:
        assert Recipe.from_dict({**RECIPE, "task": task}).task == TASKS[task].name


def test_fields_go_by_place_too() -> None:
    assert SkipConfig("lora", 8) == SkipConfig(block_adapter="lora", block_width=8)  # type: ignore[misc]
    assert Budget(4) == Budget(num_skip=4)  # type: ignore[misc]
    with pytest.raises(InputError, match="block_adapter: 'loar'; did you mean 'lora'"):
        SkipConfig("loar")  # type: ignore[misc]
    with pytest.raises(TypeError, match="Budget takes each of its 4 fields once"):
        Budget(4, num_skip=4)  # type: ignore[misc]
