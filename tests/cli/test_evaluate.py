"""``skiptune evaluate`` is as strong as ``run``: what is not measured is told, and files for others are whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from conftest import Call, draw_square
from every_task import WITH_HEADS
from skiptune import (
    Classification,
    Entailment,
    InputError,
    Reasoning,
    Record,
    Regression,
    Retrieval,
    SkipConfig,
    Vqa,
    evaluate,
    export,
    insert,
    load,
    load_model,
    load_processor,
    load_task,
    predict,
)
from skiptune.data.data_config import DataConfig
from skiptune.data.parts import read_parts
from skiptune.running.recipe import Recipe
from skiptune.running.run_checks import check_records
from skiptune.tasks.task import Task

CASES = Path(__file__).parents[3] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the small inputs are not beside the checkout")
COLOURS = ("blue", "gray", "green", "red", "what")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures that the small inputs name."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "inner").mkdir()
    for number in range(48):
        draw_square(folder / f"{number:03d}.png", number)
    draw_square(folder / "inner" / "000.png", 50)
    for number in range(40):  # of SNLI-VE and VQAv2
        Image.new("RGB", (40, 40), (5 * number, 0, 0)).save(folder / f"{number}.jpg")
    for number in (9, 25):
        Image.new("RGB", (40, 40), (5 * number, 9, 0)).save(folder / f"COCO_test2015_{number:012d}.jpg")
    return folder


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``slim("vqa")``: an untrained slim model of a task."""
    processor = load_processor("vilt-tiny")
    tasks: dict[str, Task] = {
        "vqa": Vqa(processor, COLOURS),
        "reasoning": Reasoning(processor),
        "retrieval": Retrieval(processor),
        "entailment": Entailment(processor),
        "classification": Classification(processor, COLOURS),
        "regression": Regression(processor),
    }
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            task = tasks[name]
            model = insert(load_model("vilt-tiny", task.model_class, **task.model_changes()), SkipConfig())
            made[name] = export(model, tmp_path_factory.mktemp("slim") / name, task=task)
        return made[name]

    return make


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_predictions_carry_id_and_path_as_given(call: Call, slim, images: Path, tmp_path: Path) -> None:
    question = {"question": "which colour?", "answer": "red"}
    names = ["inner/000.png", "000.png", str(images / "001.png")]
    rows = [{"image": name, "id": f"q{number}", **question} for number, name in enumerate(names)]
    options = ("--images", images, "--predictions", tmp_path / "p.jsonl")
    code, _, err = call("evaluate", slim("vqa"), "--data", write(tmp_path / "q.jsonl", rows), *options)
    assert code == 0, err
    found = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [(row["id"], row["image"]) for row in found] == [("q0", names[0]), ("q1", names[1]), ("q2", "001.png")]
    assert {row["score"] for row in found} <= {0.0, 1.0}
    pair = {"image": "000.png", "image2": "inner/000.png", "sentence": "alike", "label": True}
    call("evaluate", slim("reasoning"), "--data", write(tmp_path / "q.jsonl", [pair]), *options)
    (row,) = map(json.loads, (tmp_path / "p.jsonl").read_text().splitlines())
    assert (row["image"], row["image2"], row["id"]) == ("000.png", "inner/000.png", "")


def test_questions_without_answers_are_not_measured(call: Call, slim, images: Path, tmp_path: Path) -> None:
    rows = [{"question_id": 9000 + k, "image_id": 25 if k % 2 else 9, "question": "what is it?"} for k in range(6)]
    path = tmp_path / "v2_OpenEnded_mscoco_test2015_questions.json"
    path.write_text(json.dumps({"questions": rows}), encoding="utf-8-sig")
    given = ("evaluate", slim("vqa"), "--data", path, "--format", "vqav2", "--images", images)
    files = ("--submission", tmp_path / "s.json", "--predictions", tmp_path / "p.jsonl")
    code, out, err = call(*given, *files)
    assert (code, out) == (0, "6 questions: answers not known: nothing measured\n"), err
    assert [row["question_id"] for row in json.loads((tmp_path / "s.json").read_text())] == list(range(9000, 9006))
    assert all(json.loads(line)["score"] is None for line in (tmp_path / "p.jsonl").read_text().splitlines())
    found = json.loads(call(*given, "--json")[1])
    assert (found["count"], found["unanswered"], found["loss"], found["unknown_answers"]) == (0, 6, None, 0)
    assert "accuracy" not in found
    path.write_text(json.dumps({"questions": [*rows, {**rows[0], "question_id": 1, "image_id": 7}]}))
    (tmp_path / "s.json").unlink()
    code, _, err = call(*given, *files, "--most-bad", "0.5")
    assert code == 2
    assert "--submission: 1 of 7 questions are bad rows and would be missing" in err
    path.write_text(json.dumps({"questions": [*rows, rows[0]]}))
    assert "question 9000 is there 2 times" in call(*given, *files)[2]
    assert not (tmp_path / "s.json").exists()
    assert "--submission: for question answering" in call("evaluate", slim("entailment"), *given[2:], *files)[2]


def test_known_answers_are_measured_among_unknown_ones(slim, images: Path) -> None:
    folder = slim("vqa")
    model = load(folder)
    task = load_task(folder, model)
    records = [Record(images / f"{k:03d}.png", "colour?" + "?" * k, {"red": 1.0} if k % 2 else {}) for k in range(5)]
    found = evaluate(model, task, records, batch_size=2)
    known = evaluate(model, task, records[1::2], batch_size=2)
    assert (found.count, found.unanswered, found.scores[::2]) == (2, 3, (None,) * 3)
    assert (found.metrics, found.loss, found.predictions[1::2]) == (known.metrics, known.loss, known.predictions)
    with pytest.raises(InputError, match="nothing was measured"):
        _ = evaluate(model, task, records[:1]).headline


def test_rows_of_another_task_are_bad_rows(call: Call, slim, images: Path, tmp_path: Path) -> None:
    good = {"image": "000.png", "question": "colour?", "answer": "red"}
    others = [
        {"image": "000.png", "captions": ["a square"]},
        {"image": "000.png", "sentence": "s", "label": 1},
        {**good, "image2": "001.png"},
    ]
    path = write(tmp_path / "q.jsonl", [*[good] * 120, *others])
    given = ("--data", path, "--images", images, "--json")
    code, out, err = call("evaluate", slim("vqa"), *given)
    assert (code, json.loads(out)["count"], json.loads(out)["bad_rows"]) == (0, 120, 3)
    assert "3 rows left out, e.g. line 121: task 'vqa' needs records with a question" in err
    labels = {"reasoning": ("neutral", 2, -1, 1.5), "entailment": (True, "true", 3)}
    for task, odd in labels.items():
        second = {"image2": "001.png"} if task == "reasoning" else {}
        row = {"image": "000.png", "sentence": "s", **second}
        rows = [{**row, "label": label} for label in (1.0, 0, *odd)]
        options = (*given, "--most-bad", "0.9")
        write(path, rows)
        code, out, err = call("evaluate", slim(task), *options)
        assert (code, json.loads(out)["count"], json.loads(out)["bad_rows"]) == (0, 2, len(odd)), err
    pair = {"image": "000.png", "image2": "001.png", "sentence": "s", "label": True}
    write(path, [pair, {"image": "000.png", "sentence": "s", "label": True}])
    code, out, err = call("evaluate", slim("reasoning"), *given, "--most-bad", "0.5")
    assert (code, json.loads(out)["bad_rows"]) == (0, 1)
    assert "line 2: task 'reasoning' needs records with 2 image(s), as the model takes" in err


def test_rows_without_a_label_are_counted_and_told(call: Call, slim, images: Path, tmp_path: Path) -> None:
    base = {"sentence1": "a", "sentence2": "a picture", "pairID": "0r"}
    rows = [{**base, "Flickr30K_ID": str(k), "gold_label": "-" if k % 4 == 1 else "neutral"} for k in range(12)]
    path = write(tmp_path / "snli.jsonl", rows)
    given = ("evaluate", slim("entailment"), "--data", path, "--format", "snli-ve", "--images", images, "--json")
    code, out, err = call(*given)
    assert (code, json.loads(out)["count"], json.loads(out)["unlabelled"]) == (0, 9, 3)
    assert "3 rows left out, since the set gives them no label" in err
    config = DataConfig(name="snli-ve", train=str(path), images=str(images), validation_share=0.3)
    assert read_parts(config, 0, row_checks=Entailment.row_checks).unlabelled == {"train": 3}


def test_a_run_refuses_parts_without_answers(images: Path, tmp_path: Path) -> None:
    questions = [{"question_id": k, "image_id": 25 if k % 2 else 9, "question": "q?"} for k in range(2)]
    (tmp_path / "test2015_questions.json").write_text(json.dumps({"questions": questions}))
    files = {"name": "vqav2", "train": str(tmp_path / "test2015_questions.json"), "images": str(images)}
    config = DataConfig(**files, validation_share=0.5)
    found, recipe = read_parts(config, 0), Recipe(output=str(tmp_path / "out"), model="vilt-tiny", data=config)
    assert not any(map(Vqa.answered, [*found.train, *found.validation]))
    with pytest.raises(InputError, match="train: the answers are not known"):
        check_records(recipe, found)
    records = [Record(images / f"{k:03d}.png", "q?", {"red": 1.0}) for k in range(4)]
    unanswered = [Record(images / "040.png", "q?")]
    found.train, found.validation, found.test = records[:3], records[3:], unanswered
    with pytest.raises(InputError, match="test: the answers are not known"):
        check_records(recipe, found)


@pytest.mark.parametrize("task", WITH_HEADS)
def test_a_second_image_goes_with_tasks_about_two(task: str, call: Call, slim, images: Path) -> None:
    first, second = images / "000.png", images / "001.png"
    folder = slim(task)
    model = load(folder)
    loaded = load_task(folder, model)
    given, missing = (
        ((second, None), (None, second))[task != "reasoning"],
        "two images" if task == "reasoning" else "one image",
    )
    assert predict(model, loaded, first, "alike?", image2=given[0])
    with pytest.raises(InputError, match=f"image2: this model is about {missing}"):
        predict(model, loaded, first, "alike?", image2=given[1])
    options = () if given[1] is None else ("--image2", second)
    code, out, err = call("predict", folder, first, "alike?", *options)
    assert (code, out) == (2, "")
    assert f"image2: this model is about {missing}" in err


def test_outputs_overwrite_nothing_that_is_read(call: Call, slim, images: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", [{"image": "000.png", "question": "q?", "answer": "red", "id": 1}])
    given, kept = ("evaluate", slim("vqa"), "--data", path, "--images", images), path.read_bytes()
    (tmp_path / "link").symlink_to(path)
    for option, name, other in (
        ("--predictions", path, "--data"),
        ("--submission", tmp_path / "link", "--data"),
        ("--submission", tmp_path / "p.jsonl", "--predictions"),
    ):
        code, _, err = call(*given, "--predictions", tmp_path / "p.jsonl", option, name)
        assert (code, path.read_bytes()) == (2, kept)
        assert f"{option}: {name} is the file of {other} and would be overwritten; name another" in err
    code, _, err = call(*given, "--predictions", tmp_path)
    assert (code, "a directory is in the way" in err, "evaluating" in err) == (2, True, False)


def test_a_first_row_with_one_image_does_not_lose_the_pairs(call: Call, slim, images: Path, tmp_path: Path) -> None:
    one = {"image": "000.png", "sentence": "s", "label": True}
    path = write(tmp_path / "q.jsonl", [one, *[{**one, "image2": "001.png"}] * 9])
    code, out, err = call("evaluate", slim("reasoning"), "--data", path, "--images", images, "--json")
    assert (code, json.loads(out)["count"], json.loads(out)["bad_rows"]) == (0, 9, 1)
    assert "line 1: task 'reasoning' needs records with 2 image(s), as the model takes" in err


def test_captions_of_an_image_may_be_in_several_rows(call: Call, slim, images: Path, tmp_path: Path) -> None:
    names = {"000.png": ["a dog", "dogs"], "001.png": ["a cat"], "002.png": ["red"]}
    together = [{"image": image, "captions": captions} for image, captions in names.items()]
    apart = [{"image": image, "caption": text} for image, captions in names.items() for text in captions]
    given = ("--images", images, "--json", "--predictions", tmp_path / "p.jsonl")
    found = []
    for rows in (together, apart):
        code, out, err = call("evaluate", slim("retrieval"), "--data", write(tmp_path / "q.jsonl", rows), *given)
        assert code == 0, err
        found.append({**json.loads(out)})
    assert found[0] == found[1]
    assert found[0]["count"] == 3
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 4  # one for every row
    path = write(tmp_path / "q.jsonl", apart[:2])  # one image: no false texts
    code, out, err = call("evaluate", slim("retrieval"), "--data", path, *given)
    assert (code, json.loads(out)["count"], json.loads(out)["loss"]) == (0, 1, 0.0), err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--column", "question"), "--column question: expected FIELD=NAME"),
        (("--column", "question=a", "--column", "question=b"), "question is a already"),
        (("--column", "quest=text"), "columns: 'quest' is no field"),
        (("--most-bad", "2"), "most_bad: 2.0 is not a share between 0 and 1"),
    ],
)
def test_options_are_those_of_a_recipe(options, said: str, call: Call, slim, images: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", [{"image": "000.png", "question": "q?", "answer": "red"}])
    code, _, err = call("evaluate", slim("vqa"), "--data", path, "--images", images, *options)
    assert code == 2
    assert said in err


def test_columns_of_a_dataset_can_be_named(call: Call, slim, images: Path, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "set").mkdir()
    rows = [
        {"picture": "000.png", "text": "q?", "colour": "red"},
        {"picture": "gone[/].png", "text": "q?", "colour": "red"},
    ]
    write(tmp_path / "set" / "data.jsonl", rows)
    names = [option for pair in ("image=picture", "question=text", "answer=colour") for option in ("--column", pair)]
    given = ("evaluate", slim("vqa"), "--data", tmp_path / "set", "--format", "dataset", "--images", images, *names)
    code, out, err = call(*given, "--most-bad", "0.5", "--json")
    assert (code, json.loads(out)["count"]) == (0, 1), err
    assert "gone[/].png: no such file" in err  # not taken for markup
    assert "1 of 2 rows are bad" in call(*given)[2]


@needs_cases
def test_small_inputs_of_evaluations(call: Call, slim, images: Path) -> None:
    v2 = CASES / "9_evaluate" / "v2_OpenEnded_mscoco_test2015_questions.json"
    code, out, _ = call("evaluate", slim("vqa"), "--data", v2, "--format", "vqav2", "--images", images)
    assert (code, "nothing measured" in out, "%" in out) == (0, True, False)
    mixed = CASES / "6_labels" / "ev_mixed.jsonl"
    code, out, err = call("evaluate", slim("vqa"), "--data", mixed, "--images", images, "--json")
    assert (code, json.loads(out)["bad_rows"]) == (0, 1)
    assert "line 121: task 'vqa' needs" in err
    dashes = CASES / "3_published" / "snli_ve_with_dashes.jsonl"
    given = ("--data", dashes, "--format", "snli-ve", "--images", images, "--json")
    code, out, _ = call("evaluate", slim("entailment"), *given)
    assert (code, json.loads(out)["count"], json.loads(out)["unlabelled"]) == (0, 30, 10)
