"""The list of a recipe's fields is complete, and says of each what it may be."""

from __future__ import annotations

from pydantic import BaseModel

from conftest import Call
from skiptune.core.validated import Validated
from skiptune.running.recipe import Recipe
from skiptune.running.recipe_fields import recipe_fields


def names(kind: type[BaseModel], section: str = "") -> set[str]:
    """The paths of all fields, by the configurations alone; what a section's field holds is written in one."""
    found = set()
    for name, field in kind.model_fields.items():
        inner = (field.annotation, *getattr(field.annotation, "__args__", ()))
        models = [entry for entry in inner if isinstance(entry, type) and issubclass(entry, Validated)]
        found |= names(models[0], f"{name}.") if models and not section else {section + name}
    return found


def test_every_field_is_listed_with_its_meaning() -> None:
    fields = recipe_fields()
    assert {field.path for field in fields} == names(Recipe)
    assert [field.path for field in fields if not (field.text and field.values)] == []


def test_values_and_defaults_are_those_that_a_recipe_has() -> None:
    found = {field.path: field for field in recipe_fields()}
    assert found["output"].default == ""
    assert found["budget.num_skip"].default == "4"
    assert found["adapters.block_adapter"].default == '"lora"'  # as in recipes, not as in Python
    assert found["adapters.scope"].values == "one of fusion, global"
    assert found["train.max_steps"].values == "a whole number of at least 1, or null"
    assert found["bench.batch_sizes"].values == "a list; each entry a whole number of at least 1"
    assert "one of easy-vqa, jsonl" in found["data.name"].values
    assert found["data.validation_share"].text.startswith("share of the *images*")


def test_the_command_line_prints_them(call: Call) -> None:
    code, out, _ = call("recipes", "--fields", "bench")
    assert (code, out.splitlines()[0]) == (0, "bench.batch_sizes: [1, 32]")
    assert call("recipes", "--fields", "tarin")[::2] == (
        2,
        "error: tarin: no section of recipes; did you mean 'train'?",
    )
