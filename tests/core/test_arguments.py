"""Arguments of another type are refused with their names by every verb of the library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import skiptune as st
from conftest import MakeModel
from skiptune.core.arguments import expect


def test_every_wrong_argument_is_named_at_once() -> None:
    with pytest.raises(st.InputError) as refused:
        expect("verb", plan=("plan.json", st.Plan), count=(3, int), model=(["m"], (st.Plan, type(None))))
    assert str(refused.value).splitlines() == [
        "skiptune.verb:",
        "  - plan: 'plan.json' is not a Plan",
        "  - model: a list is not a Plan or None",
    ]
    with pytest.raises(st.InputError, match="plan: a number of thousands of digits is not a Plan"):
        expect("verb", plan=(10**5000, st.Plan))


WRONG: dict[str, tuple[Callable[..., Any], str]] = {
    "insert": (lambda model, task, records: st.insert(model, "lora"), "config: 'lora' is not a SkipConfig"),
    "insert-name": (lambda model, task, records: st.insert("vilt-tiny"), "model: 'vilt-tiny' is not a Module"),
    "choose": (lambda model, task, records: st.choose(model, "0"), "'0' is not a list of block names"),
    "prune": (lambda model, task, records: st.prune(model, ["0"]), "is not a Plan; skiptune.Plan.load reads one"),
    "fit": (lambda model, task, records: st.fit(model, task), "experiment: a Vqa is not an Experiment"),
    "fit-plan": (
        lambda model, task, records: st.fit(model, st.Experiment(task, records), "plan.json"),
        "'plan.json' is not a Plan",
    ),
    "search": (lambda model, task, records: st.search(model, records), "experiment: a Records is not"),
    "export": (lambda model, task, records: st.export(model, "out", task="vqa"), "task: 'vqa' is not a Task or None"),
    "export-plan": (lambda model, task, records: st.export(model, "out", ["0"]), "plan: a list is not a Plan or None"),
    "evaluate": (lambda model, task, records: st.evaluate(model, "vqa", records), "task: 'vqa' is not a Task"),
    "evaluate-file": (
        lambda model, task, records: st.evaluate(model, task, "q.jsonl"),
        "records: str given; expected rows or records",
    ),
    "evaluate-late": (lambda model, task, records: st.evaluate(model, task, [*records, 5]), "records: list given"),
    "evaluate-batch": (
        lambda model, task, records: st.evaluate(model, task, records, 0),
        "batch_size: 0; a batch has at least 1 record",
    ),
    "predict": (lambda model, task, records: st.predict(model, task, None, "colour?"), "image: None is no image"),
    "predict-top": (
        lambda model, task, records: st.predict(model, task, records[0].image, "colour?", top=0),
        "top: 0; expected how many",
    ),
    "run": (lambda model, task, records: st.Run("recipe.yaml"), "recipe: 'recipe.yaml' is not a Recipe"),
    "split": (lambda model, task, records: st.split_by_image(["x"], 0.5, seed=0), "records: list given"),
    "plan": (lambda model, task, records: st.Plan("vilt", "0123", ()), "blocks: '0123' is a text"),
}


@pytest.mark.parametrize("name", WRONG)
def test_verbs_refuse_arguments_of_another_type(name: str, make_model: MakeModel, task: st.Vqa, records: Any) -> None:
    call, said = WRONG[name]
    model = make_model(None if name == "insert" else st.SkipConfig())
    with pytest.raises(st.InputError, match=said.replace("(", r"\(")):
        call(model, task, records)
    assert not Path("out").exists()
