"""``skiptune init`` on conversations and on what only generation learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import skiptune as st
from conftest import Call, draw_square
from skiptune import load_processor, read_recipe
from skiptune.running import run_data
from skiptune.running.run import Run
from skiptune.starting.answer_measure import answer_measure
from skiptune.starting.first_recipe import first_recipe
from skiptune.starting.look import look
from tiny_chat import save_tiny_llava

Row = dict[str, Any]
QUESTION = "what color is it ?"


def said(user: str, assistant: str, keys: tuple[str, str], roles: tuple[str, str]) -> list[Row]:
    return [{keys[0]: role, keys[1]: text} for role, text in zip(roles, (user, assistant), strict=True)]


def chat(user: str, assistant: str) -> list[Row]:
    return said(user, assistant, ("role", "content"), ("user", "assistant"))


def talk(user: str, assistant: str) -> list[Row]:
    return said(user, assistant, ("from", "value"), ("human", "gpt"))


#: Format → a row about an image.
ROWS = {
    "messages": lambda name: {"messages": chat(QUESTION, "red"), "images": [name]},
    "llava": lambda name: {"conversations": talk(f"<image>\n{QUESTION}", "red"), "image": name},
    "sharegpt": lambda name: {"conversations": talk(f"<image>{QUESTION}", "red"), "images": [name]},
    "swift": lambda name: {"query": QUESTION, "response": "red", "images": [name], "history": []},
    "jsonl": lambda name: {"question": QUESTION, "options": ["red", "blue"], "answer": "A", "image": name},
}


def written(folder: Path, kind: str) -> Path:
    for number in range(4):
        (folder / "photos").mkdir(parents=True, exist_ok=True)
        draw_square(folder / "photos" / f"{number}.png", number)
    rows = [ROWS[kind](f"{number}.png") for number in range(4)]
    (folder / "train.json").write_text(json.dumps(rows))
    return folder


@pytest.mark.parametrize("kind", ROWS)
def test_conversations_are_recognised(kind: str, tmp_path: Path) -> None:
    found = look(written(tmp_path, kind))
    assert found.task == "generation"
    assert found.data == {"name": kind, "train": str(tmp_path / "train.json"), "images": str(tmp_path / "photos")}


def test_texts_alone_and_tags_of_ones_own(tmp_path: Path) -> None:
    dialog = said("hi", "hello", ("who", "words"), ("customer", "agent"))
    (tmp_path / "rows.jsonl").write_text(json.dumps({"dialog": dialog}))
    columns = {"conversations": "dialog", "role_tag": "who", "content_tag": "words"}
    columns |= {"user_tag": "customer", "assistant_tag": "agent"}
    found = look(tmp_path, columns)
    assert found.data == {"name": "llava", "train": str(tmp_path / "rows.jsonl"), "columns": columns}


def test_saved_datasets_of_conversations(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    draw_square(tmp_path / "0.png", 0)
    features = datasets.Features(
        {
            "messages": [{"role": datasets.Value("string"), "content": datasets.Value("string")}],
            "images": datasets.Sequence(datasets.Image()),
        }
    )
    row = {"messages": chat(QUESTION, "red"), "images": [str(tmp_path / "0.png")]}
    datasets.Dataset.from_list([row] * 2, features=features).save_to_disk(tmp_path / "saved")
    found = look(tmp_path / "saved")
    assert (found.task, dict(found.data)) == ("generation", {"name": "dataset", "train": str(tmp_path / "saved")})


def test_a_recipe_for_conversations(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, output = save_tiny_llava(tmp_path / "model"), tmp_path / "recipe.yaml"
    code, out, err = call("init", written(tmp_path / "data", "jsonl"), "--model", model, "--output", output)
    assert code == 0, err
    assert "train: 3 questions on 3 images" in out
    assert out.splitlines()[-2:] == [f"next: skiptune data check {output}", f"then: skiptune run {output}"]
    recipe = read_recipe(output)
    assert (recipe.task, recipe.data.name) == ("generation", "jsonl")
    assert recipe.generation is not None
    assert recipe.generation.measure == "choice"
    template = model / "chat_template.jinja"
    template.write_text("{% set today = strftime_now('%d %b %Y') %}" + template.read_text())
    read: list[str] = []
    monkeypatch.setattr(run_data, "load_processor", lambda name: (read.append(name), load_processor(name))[1])
    said: list[str] = []
    monkeypatch.setattr(run_data, "say_once", said.append)
    run = Run(recipe)
    assert len(run.data.train) > 0
    assert run.task.processor is run.task.processor
    assert read == [str(model)]  # once, to look at the rows and for the task
    assert any("the chat template writes the day's date (strftime_now)" in told for told in said)
    code, out, _ = call("data", "check", output)
    assert "a chat template that writes the day's date" in out


def test_models_that_write_are_for_generation(tmp_path: Path) -> None:
    folder = written(tmp_path, "jsonl")
    rows = [{"image": f"{number}.png", "question": QUESTION, "answer": "red"} for number in range(4)]
    (folder / "train.json").write_text(json.dumps(rows))
    layout = look(folder)
    assert layout.task == "vqa"
    assert (
        first_recipe(layout, str(save_tiny_llava(tmp_path / "model")), None, str(tmp_path / "run")).recipe.task
        == "generation"
    )


def test_answers_are_measured_as_they_look() -> None:
    short, long = (st.records([{"messages": chat("what?", said)}]) for said in ("red", "it is " * 3 + "red"))
    chosen = st.records([{"question": "which?", "options": ["a", "b"], "answer": "B"}], "generation")
    measures = ["exact_match", "likelihood", "choice"]
    assert [answer_measure(records) for records in (short, long, chosen)] == measures
