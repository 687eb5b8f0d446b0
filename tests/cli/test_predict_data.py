"""``skiptune predict --data``: what is read, what is refused, what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import COLOURS, Call, MakeModel, draw_square
from skiptune import Entailment, Reasoning, Record, SkipConfig, Vqa, export, insert, load_model, load_processor
from skiptune.data.parts import read_for_evaluation


@pytest.fixture
def slim(make_model: MakeModel, task: Vqa, tmp_path: Path) -> Path:
    model = make_model(SkipConfig())
    export(model, tmp_path / "slim", task=task)
    return tmp_path / "slim"


def test_a_file_and_a_folder(slim: Path, data_folder: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "answers.jsonl"
    arguments = ("predict", slim, "--data", data_folder / "test.jsonl", "--images", data_folder / "images")
    code, said, _ = call(*arguments, "-o", out, "--batch-size", 2, "--top", 2)
    assert (code, said.strip()) == (0, f"{out}: 12 rows")
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["image"] for row in rows[::3]] == ["16.png", "17.png", "18.png", "19.png"]
    assert {row["answer"] for row in rows} <= set(COLOURS)
    code, _, error = call(*arguments, "-o", out)
    assert (code, "is there already" in error) == (2, True)
    (tmp_path / "ROWS.CSV").write_text("image,question\n16.png,colour?\n", encoding="utf-8")
    arguments = ("predict", slim, "--data", tmp_path / "ROWS.CSV", "--images", data_folder / "images")
    assert call(*arguments, "-o", tmp_path / "table.csv")[:2] == (0, f"{tmp_path / 'table.csv'}: 1 row\n")
    pictures = tmp_path / "pictures"
    (pictures / "inner").mkdir(parents=True)
    for number, name in enumerate(("b.png", "inner/a.png")):
        draw_square(pictures / name, number)
    (pictures / "c.png").write_bytes(b"none")
    code, said, error = call(
        "predict", slim, "--data", pictures, "--question", "colour?", "-o", tmp_path / "a.csv", "--json"
    )
    assert (code, json.loads(said)) == (0, {"output": str(tmp_path / "a.csv"), "rows": 3, "errors": 1})
    assert "c.png: image" in error
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["id", "b.png", "c.png", "inner/a.png"]


def test_answers_do_not_depend_on_the_working_directory(
    slim: Path, data_folder: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes of a cluster, which read the same files by absolute paths, give the same bytes."""
    images = data_folder / "images"
    rows: list[dict[str, object]] = [{"image": name, "question": "colour?"} for name in ("16.png", "nowhere.png", ".")]
    rows.append({"image": str(images / "17.png"), "question": "colour?"})
    (data_folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name, above in (("a.jsonl", data_folder), ("b.jsonl", Path())):
        monkeypatch.chdir(data_folder)
        paths = ("--data", above / "rows.jsonl", "--images", above / "images")
        assert call("predict", slim, *paths, "-o", tmp_path / name)[0] == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    found = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["error"] is None for row in found] == [True, False, False, True]
    assert found[3]["image"] == "17.png"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "rows.jsonl"), "--output: missing; name a file"),
        (("--data", "rows.jsonl", "-o", "rows.jsonl"), "is the file of --data and would be overwritten"),
        (("--data", "rows.jsonl", "-o", "a.xlsx"), "its ending says no format"),
        (("picture.png", "what?", "--data", "rows.jsonl", "-o", "a.csv"), "IMAGE, TEXT: with --data"),
        (("picture.png", "what?", "--force", "--question", "what?"), "--question, --force: only with --data"),
        (("--data", "rows.jsonl", "-o", "a.csv"), "--images: the folder of the images is missing"),
        (("--data", "rows.jsonl", "-o", "a.csv", "--question", "what?"), "--question: for a folder of pictures"),
        (
            ("--data", ".", "-o", "a.csv", "--question", "what?", "--format", "dataset"),
            "folder of pictures without --f",
        ),
        (("--data", ".", "-o", "a.csv", "--images", "x", "--split", "y"), "--images, --split: for a file of records"),
        (("--data", "", "-o", "a.csv", "--question", "what?"), "--data: empty; name a file"),
        (("picture.png", "what?", "--batch-size", "8", "--workers", "0"), "--batch-size, --workers: only with --data"),
        (("--data", "rows.jsonl", "-o", "a.csv", "--temperature", "1"), "--temperature: for models that write"),
        (("--data", ".", "-o", "a.csv"), "--question: missing; this model is asked"),
        (("--data", ".", "-o", "a.csv", "--question", "what?"), "no images in this folder, and none below it"),
    ],
)
def test_what_does_not_go_together_is_refused(
    arguments: tuple[str, ...], message: str, slim: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    code, _, error = call("predict", slim, *arguments)
    assert code == 2
    assert message in error


@pytest.mark.parametrize("form", ["nlvr2", "nlvr", "snli-ve", "jsonl"])
def test_rows_need_no_labels(form: str, tmp_path: Path) -> None:
    for name in ("dev-1-0-img0.png", "dev-1-0-img1.png", "7.jpg"):
        draw_square(tmp_path / name.replace("jpg", "png"), 1)
    (tmp_path / "7.png").rename(tmp_path / "7.jpg")
    rows = {
        "nlvr2": {"identifier": "dev-1-0-1", "sentence": "both are red"},
        "nlvr": {"image": "dev-1-0-img0.png", "sentence": "it is red"},
        "snli-ve": {"Flickr30K_ID": "7", "sentence2": "it is red", "gold_label": "-", "pairID": "7#1"},
        "jsonl": {"image": "7.jpg", "sentence": "it is red"},
    }
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps(rows[form]) + "\n", encoding="utf-8")
    processor = load_processor("vilt-tiny")
    task = Entailment(processor) if form in ("snli-ve", "jsonl") else Reasoning(processor, 2 if form == "nlvr2" else 1)
    found = read_for_evaluation(form, str(data), {"images": str(tmp_path)}, task.asked_row_checks(), asked=True)
    assert (len(found), found[0].label, found.bad) == (1, None, [])
    model = load_model("vilt-tiny", task.model_class, **task.model_changes())
    insert(model)
    assert task.best_answers(model.eval(), [found[0]], 1)[0][0].answer in task.choices
    with pytest.raises(Exception, match="label"):
        task.check([Record(tmp_path / "7.jpg", "it is red", image2=found[0].image2)])
