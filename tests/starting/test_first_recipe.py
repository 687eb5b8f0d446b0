"""The first recipe: what ``skiptune init`` finds in a folder, and the recipe that it writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Call, draw_square
from skiptune import InputError, read_recipe
from skiptune.running.run_data import read_data
from skiptune.starting.look import look

Make = Callable[[Path], None]


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def drawn(folder: Path, names: list[str], first: int = 0) -> list[str]:
    """Pictures, unlike those of another ``first``; returns their colours."""
    folder.mkdir(parents=True, exist_ok=True)
    return [draw_square(folder / name, number) for number, name in enumerate(names, first)]


def own(folder: Path) -> None:
    colours = drawn(folder / "pictures" / "all", [f"{k}.png" for k in range(6)])
    lines(folder / "q.jsonl", [{"img": f"{k}.png", "query": "colour?", "reply": c} for k, c in enumerate(colours)])


def table(folder: Path) -> None:
    colours = drawn(folder, [f"{k}.png" for k in range(6)])
    rows = "".join(f"{k}.png;what colour?;{colour}\n" for k, colour in enumerate(colours))
    (folder / "questions.csv").write_text(f"file name;question;answer\n{rows}")


def parts(folder: Path) -> None:
    colours = drawn(folder / "images", [f"{k}.png" for k in range(9)])
    rows = [{"image": f"{k}.png", "captions": [f"a {c} square", "a square"]} for k, c in enumerate(colours)]
    for number, name in enumerate(("captions_train", "captions_val", "captions_test")):
        lines(folder / "annotations" / ".." / f"{name}.json", rows[3 * number : 3 * number + 3])


def statements(folder: Path) -> None:
    drawn(folder / "images", [f"{k}.png" for k in range(4)])
    rows = [{"image": f"{k}.png", "hypothesis": "it is red", "label": "neutral"} for k in range(4)]
    lines(folder / "train.jsonl", rows)


def coco(folder: Path) -> None:
    for part, ids in (("train2014", range(4)), ("val2014", range(4, 6))):
        colours = drawn(folder / part, [f"COCO_{part}_{k:012d}.jpg" for k in ids], ids[0])
        asked = [{"question_id": k, "image_id": k, "question": "colour?"} for k in ids]
        said = [
            {"question_id": k, "image_id": k, "answers": [{"answer": colour}] * 10, "multiple_choice_answer": colour}
            for k, colour in zip(ids, colours, strict=True)
        ]
        (folder / f"v2_OpenEnded_mscoco_{part}_questions.json").write_text(json.dumps({"questions": asked}))
        (folder / f"v2_mscoco_{part}_annotations.json").write_text(json.dumps({"annotations": said}))


def karpathy(folder: Path) -> None:
    names = [f"{k}.jpg" for k in range(6)]
    drawn(folder / "flickr30k-images", names)
    images = [
        {"filename": name, "split": split, "imgid": k, "sentences": [{"raw": f"square {k}"}]}
        for k, (name, split) in enumerate(zip(names, ["train"] * 4 + ["val", "test"], strict=True))
    ]
    (folder / "dataset_flickr30k.json").write_text(json.dumps({"images": images, "dataset": "flickr30k"}))


def nlvr2(folder: Path) -> None:
    for part, first in (("train", 0), ("dev", 8)):
        drawn(folder / "images" / part, [f"{part}-{k}-0-img{j}.png" for k in range(4) for j in (0, 1)], first)
        rows = [{"identifier": f"{part}-{k}-0-0", "sentence": "both are red", "label": "True"} for k in range(4)]
        lines(folder / f"{part}.json", rows)


def entailment(folder: Path) -> None:
    drawn(folder / "images", [f"{k}.jpg" for k in range(4)])
    row = {"sentence2": "it is red", "gold_label": "neutral"}
    lines(folder / "snli_ve_train.jsonl", [{**row, "Flickr30K_ID": str(k), "pairID": f"{k}"} for k in range(4)])


def drawings(folder: Path) -> None:
    drawn(folder / "images", [f"train-{k}-0.png" for k in range(4)])
    lines(folder / "dev.jsonl", [{"image": f"train-{k}-0.png", "sentence": "a", "label": "true"} for k in range(4)])


def classes(folder: Path) -> None:
    for number, part in enumerate(("train", "test")):
        for label, first in (("cats", 0), ("dogs", 4)):
            drawn(folder / part / label / "deeper", [f"{k}.png" for k in range(4)], first + 8 * number)


def scored(folder: Path) -> None:
    drawn(folder / "images", [f"{k}.png" for k in range(4)])
    (folder / "ratings.tsv").write_text("photo\trating\n" + "".join(f"{k}.png\t{k / 2}\n" for k in range(4)))


#: Data → its format, its task, the fields that are named, and how many rows each part has.
FOLDERS: dict[str, tuple[Make, str, str, set[str]]] = {
    "own rows": (own, "jsonl", "vqa", {"train", "images", "columns"}),
    "a table": (table, "csv", "vqa", {"train", "images", "columns"}),
    "parts": (parts, "jsonl", "retrieval", {"train", "validation", "test", "images"}),
    "statements": (statements, "jsonl", "entailment", {"train", "images", "columns"}),
    "vqav2": (coco, "vqav2", "vqa", {"train", "annotations", "validation", "validation_annotations", "images"}),
    "karpathy": (karpathy, "karpathy", "retrieval", {"train", "images", "split"}),
    "nlvr2": (nlvr2, "nlvr2", "reasoning", {"train", "validation", "images"}),
    "nlvr": (drawings, "nlvr", "reasoning", {"train", "images"}),
    "folders by class": (classes, "imagefolder", "classification", {"train", "test"}),
    "numbers": (scored, "csv", "regression", {"train", "images", "columns"}),
    "snli-ve": (entailment, "snli-ve", "entailment", {"train", "images"}),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_becomes_a_recipe_that_reads_it(
    kind: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, name, task, fields = FOLDERS[kind]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    make(tmp_path / "data")
    code, out, err = call("init", "data", "--model", "vilt-tiny")
    assert code == 0, err
    assert f"task: {task}" in out
    text = (tmp_path / "recipe.yaml").read_text()
    assert text.startswith("# skiptune run recipe.yaml\n")
    assert str(tmp_path) not in text, "paths are relative"
    recipe = read_recipe("recipe.yaml")
    assert (recipe.data.name, recipe.task) == (name, task)
    assert recipe.data.model_fields_set - {"validation_share", "test_share"} == fields | {"name"}
    assert recipe.budget.num_skip == 1  # of the four blocks of this model
    found = read_data(recipe, tmp_path / "logs")
    assert len(found.train)
    assert f"train: {len(found.train)} " in out


def test_a_hugging_face_dataset_becomes_a_recipe(call: Call, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    paths = [tmp_path / "images" / f"{k}.png" for k in range(12)]
    drawn(paths[0].parent, [path.name for path in paths])
    kinds = datasets.ClassLabel(names=["cat", "dog"])
    features = datasets.Features({"picture": datasets.Image(), "class": kinds, "remark": datasets.Value("string")})
    rows = [{"picture": str(path), "class": k % 2, "remark": "none"} for k, path in enumerate(paths)]
    parts = {"train": rows[:8], "test": rows[8:]}
    saved = {name: datasets.Dataset.from_list(part, features=features) for name, part in parts.items()}
    datasets.DatasetDict(saved).save_to_disk(str(tmp_path / "saved"))
    output = tmp_path / "recipe.yaml"
    code, out, err = call("init", tmp_path / "saved", "--model", "vilt-tiny", "--output", output)
    assert code == 0, err
    assert "task: classification, 2 answers" in out
    data = read_recipe(output).data
    assert (data.name, data.split, data.test_split) == ("dataset", "train", "test")
    assert data.columns == {"image": "picture", "label": "class"}


def test_the_budgets_that_are_told_can_be_met(call: Call, data_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "recipe.yaml"
    code, out, _ = call("init", data_folder, "--model", "vilt-tiny", "--output", output)
    assert code == 0
    assert "12 questions on 4 images" in out
    told = next(line for line in out.splitlines() if line.startswith("model:"))
    most = told.partition("macs down to ")[2].split()[0]
    assert "num_skip from 1 to 3" in told
    search = ("search", output, "--output", tmp_path / "run", "--set", "search.strategy=first", "--set")
    assert "cannot be met" in call(*search, "budget={macs: -0.99}")[2]
    assert call(*search, f"budget={{macs: {most}}}")[0] == 0


def test_nothing_is_overwritten(call: Call, data_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "recipe.yaml"
    output.write_text("mine")
    assert call("init", data_folder, "--model", "vilt-tiny", "--output", output)[0] == 2
    assert output.read_text() == "mine"
    assert call("init", data_folder, "--model", "vilt-tiny", "--output", output, "--force")[0] == 0
    assert read_recipe(output).task == "vqa"


def test_bad_rows_are_counted_and_one_file_can_be_named(call: Call, data_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(data_folder / "images", tmp_path / "images")
    kept = (data_folder / "train.jsonl").read_text()
    (tmp_path / "a.jsonl").write_text(kept + "{broken\n")
    (tmp_path / "b.jsonl").write_text(kept)
    output = tmp_path / "recipe.yaml"
    code, _, err = call("init", tmp_path, "--model", "vilt-tiny", "-o", output)
    assert (code, "name one of them" in err) == (2, True)
    code, out, _ = call("init", tmp_path / "a.jsonl", "--model", "vilt-tiny", "-o", output)
    assert code == 0
    assert "train: 1 row left out, e.g. line 49" in out
    assert read_recipe(output).output.endswith("runs/a")


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    drawn(tmp_path / "one-class" / "cats", ["1.png"])
    lines(tmp_path / "no-images" / "q.jsonl", [{"image": "1.png", "question": "a", "answer": "b"}])
    lines(tmp_path / "no-field" / "q.jsonl", [{"question": "a", "answer": "b"}])
    for name, said in (
        ("none", "no such folder or file"),
        ("empty", "no data that can be read"),
        ("no-images", "the images that the rows name are not in it"),
        ("no-field", "its rows name no image; they have question, answer; give --column image=NAME"),
        ("one-class", "images, but no rows about them, and one folder only: cats"),
    ):
        with pytest.raises(InputError, match=said):
            look(tmp_path / name)


def test_fields_are_named_where_none_is_usual(call: Call, tmp_path: Path) -> None:
    drawn(tmp_path / "data", [f"{k}.png" for k in range(4)])
    (tmp_path / "data" / "ages.csv").write_text("file,age\n" + "".join(f"{k}.png,{k}\n" for k in range(4)))
    output = tmp_path / "my recipe.yaml"
    given = ("init", tmp_path / "data", "--model", "vilt-tiny", "-o", output)
    for more in ((), ("--task", "regression")):
        code, _, err = call(*given, *more)
        assert (code, "(file, age) tell no task; name the one to learn" in err) == (2, True)
    code, out, err = call(*given, "--column", "value=age")
    assert code == 0, err
    assert (read_recipe(output).task, read_recipe(output).data.columns) == (
        "regression",
        {"image": "file", "value": "age"},
    )
    assert "validation: 1 example on 1 image\n" in out
    assert f"run {output}" not in out, "a name with a space is quoted"


def test_captions_in_several_rows_are_not_counted_as_images(call: Call, tmp_path: Path) -> None:
    drawn(tmp_path / "data", [f"{k}.png" for k in range(4)])
    rows = [{"image": f"{k}.png", "caption": f"square {k} {word}"} for k in range(4) for word in "ab"]
    lines(tmp_path / "data" / "captions.jsonl", rows)
    code, out, err = call("init", tmp_path / "data", "--model", "vilt-tiny", "-o", tmp_path / "recipe.yaml")
    assert code == 0, err
    assert "train: 6 rows on 3 images\n" in out
