"""The parts of a recipe's data: which file each format reads, what is held out, and what is refused at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from arrow_tables import vqa_columns, write_table
from conftest import COLOURS, MODEL, draw_square
from skiptune import InputError, Vqa, load_processor
from skiptune.data.data_config import DataConfig
from skiptune.data.parts import read_for_evaluation, read_parts
from skiptune.data.readers.formats import SOURCES, Format


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """VQAv2 on six images: four of train2014 and two of val2014, two questions each with ten answers."""
    for part, numbers in (("train2014", range(4)), ("val2014", range(4, 6))):
        (tmp_path / part).mkdir()
        questions, annotations = [], []
        for number in numbers:
            colour = draw_square(tmp_path / part / f"COCO_{part}_{number:012d}.jpg", number)
            for extra in range(2):
                identity = {"question_id": 10 * number + extra, "image_id": number}
                questions.append({**identity, "question": f"which colour, {extra}?"})
                answers = [{"answer": colour, "answer_id": k} for k in range(7)] + [{"answer": "pink"}] * 3
                annotations.append({**identity, "multiple_choice_answer": colour, "answers": answers})
        (tmp_path / f"{part}_questions.json").write_text(json.dumps({"questions": questions}))
        (tmp_path / f"{part}_annotations.json").write_text(json.dumps({"annotations": annotations}))
    return tmp_path


def test_vqav2_reads_every_part_with_its_own_files(coco: Path) -> None:
    config = DataConfig(
        name="vqav2",
        images=str(coco),
        train=str(coco / "train2014_questions.json"),
        annotations=str(coco / "train2014_annotations.json"),
        validation=str(coco / "val2014_questions.json"),
        validation_annotations=str(coco / "val2014_annotations.json"),
        test=str(coco / "val2014_questions.json"),  # as on the server: the answers are secret
        max_train=5,
    )
    data = read_parts(config, seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (5, 4, 4)
    assert all("train2014" in str(record.image) for record in data.train)
    assert all("val2014" in str(record.image) for record in data.validation)
    assert data.validation[0].answers[data.validation[0].majority] == 1.0
    assert data.validation[0].answers["pink"] == pytest.approx(0.9)
    assert data.test[0].answers == {}
    assert [record.id for record in read_parts(config, seed=0).train] == [record.id for record in data.train]


def test_vocabulary_counts_validation_of_vqav2_only_with_a_file_of_its_own(coco: Path) -> None:
    """Training has red, green, blue and yellow twice each; validation, in its own file, two of them twice again."""
    files = {
        "name": "vqav2",
        "images": str(coco),
        "train": str(coco / "train2014_questions.json"),
        "annotations": str(coco / "train2014_annotations.json"),
    }
    own = {
        "validation": str(coco / "val2014_questions.json"),
        "validation_annotations": str(coco / "val2014_annotations.json"),
    }
    data = read_parts(DataConfig(**files, **own), seed=0)
    both = [record.majority for record in (*data.train[::2], *data.validation[::2])]
    processor = load_processor(MODEL)
    assert Vqa.from_data(processor, data, least=2).answers == tuple(dict.fromkeys(both))
    assert set(Vqa.from_data(processor, data, least=4).answers) == {name for name in both if both.count(name) == 2}
    cut = read_parts(DataConfig(**files, validation_share=0.25), seed=0)
    left_out = {record.majority for record in cut.validation}
    assert len(left_out) == 1
    assert set(Vqa.from_data(processor, cut).answers) == set(COLOURS) - left_out


def test_vocabulary_of_released_tables_has_the_order_of_their_labels(tmp_path: Path) -> None:
    """Answers as counted would be sorted; those that only the test table has are not known."""
    tables = {}
    for part, answer, label in (("train", "goal", 2), ("validation", "ball", 7), ("test", "cup", 8)):
        columns = {**vqa_columns(), "answers": [[["net", answer], ["man"]], [["2"]]]}
        columns["answer_labels"] = [[[0, label], [1]], [[3]]]
        tables[part] = str(write_table(tmp_path / f"{part}.arrow", columns))
    config = DataConfig(name="arrow", **tables, least_answer_count=2)
    task = Vqa.from_data(load_processor(MODEL), read_parts(config, seed=0), config.least_answer_count)
    assert task.answers == ("net", "man", "goal", "2", "ball")


def test_karpathy_has_its_parts_in_one_file(tmp_path: Path) -> None:
    images = []
    for number, split in enumerate(("train", "train", "restval", "val", "test")):
        draw_square(tmp_path / f"{number}.png", number)
        sentences = [{"raw": f"square {number}, {k}"} for k in range(2)]
        images.append({"filename": f"{number}.png", "split": split, "sentences": sentences})
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"images": images}))
    data = read_parts(DataConfig(name="karpathy", train=str(path), images=str(tmp_path)), seed=0)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [3, 1, 1]
    assert data.test[0].captions == ("square 4, 0", "square 4, 1")


def test_bad_rows_are_named_in_a_log(data_folder: Path, tmp_path: Path) -> None:
    lines = (data_folder / "train.jsonl").read_text().splitlines()
    (tmp_path / "train.jsonl").write_text("\n".join([*lines, "{broken"]))
    config = DataConfig(name="jsonl", train=str(tmp_path / "train.jsonl"), images=str(data_folder / "images"))
    data = read_parts(config, seed=0, log=tmp_path / "logs")
    assert len(data.train) + len(data.validation) == 48
    assert data.bad_rows["train"] == [(tmp_path / "logs" / "bad-train.log").read_text().strip().partition(": ")[2]]
    with pytest.raises(InputError, match="1 of 49 rows are bad"):
        read_parts(DataConfig(**{**config.to_dict(), "most_bad": 0.01}), seed=0)


def test_a_test_part_is_cut_off_by_group_whatever_the_seed(tmp_path: Path) -> None:
    """NLVR: variants of a drawing stay together, and only training and validation depend on the seed."""
    rows = []
    for number in range(20):
        name = f"dev-{number // 2}-0-{number % 2}.png"
        draw_square(tmp_path / name, number)
        rows.append({"image": name, "sentence": f"square {number // 2}", "label": number % 4 < 2})
    path = tmp_path / "dev.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {"name": "nlvr", "train": str(path), "images": str(tmp_path)}
    config = DataConfig(**files, test_share=0.3, validation_share=0.3, max_test=5)
    groups = {}
    for seed in range(3):
        data = read_parts(config, seed)
        groups[seed] = [{record.group for record in part} for part in (data.train, data.validation, data.test)]
        assert [len(part) for part in groups[seed]] == [5, 2, 3]
        assert len(set().union(*groups[seed])) == 10
        assert len(data.test) == 5
    first = [record.id for record in read_parts(config, 0).test]
    assert all([record.id for record in read_parts(config, seed).test] == first for seed in groups)
    assert any(groups[seed][1] != groups[0][1] for seed in groups)
    with pytest.raises(InputError, match=r"test share 0\.01 of 10 images leaves 0 for test"):
        read_parts(DataConfig(**files, test_share=0.01), 0)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "vqa2"}, "did you mean 'vqav2'"),
        ({"name": "jsonl", "train": "a.jsonl"}, "images: missing; name: jsonl needs it"),
        ({"name": "nlvr2", "images": "i"}, "train: missing; name: nlvr2 needs it"),
        ({"name": "jsonl", "train": "a", "images": "i", "annotations": "b"}, "annotations: not used by name: jsonl"),
        ({"name": "nlvr2", "train": "a", "images": "i", "test_split": "b"}, "test_split: not used by name: nlvr2"),
        ({"name": "vqav2", "train": ["a", "b"], "images": "i"}, "several files are read with name: arrow only"),
        ({"name": "easy-vqa", "train": "a"}, "files are read with another name"),
        ({"name": "dataset", "train": "a", "columns": ["question"]}, "columns: .* is not a mapping"),
        ({"most_bad": 2}, "most_bad: 2 is not a share"),
        ({"test_share": 1}, "test_share: 1 is not between 0 and 1"),
        ({"test_share": 0.1}, "test_share: name: easy-vqa has a test part of its own"),
        ({"name": "karpathy", "train": "a", "images": "i", "test_share": 0.1}, "karpathy has a test part of its own"),
        ({"name": "jsonl", "train": "a", "images": "i", "test": "b", "test_share": 0.1}, "there is test already"),
        ({"name": "dataset", "train": "a", "test_split": "b", "test_share": 0.1}, "there is test_split already"),
        ({"max_test": 0}, "max_test: 0 is not a whole number"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        DataConfig.from_dict(fields)


@pytest.mark.parametrize("name", list(SOURCES))
def test_every_format_names_a_missing_file(name: str, tmp_path: Path) -> None:
    needs = {"images": str(tmp_path), "split": "val"}
    fields = {entry: value for entry, value in needs.items() if entry in SOURCES[name].needs}
    with pytest.raises(InputError, match="nowhere"):
        read_for_evaluation(name, str(tmp_path / "nowhere.json"), fields)


@pytest.mark.slow
def test_a_submission_for_the_server(coco: Path, tmp_path: Path) -> None:
    from command_line import skiptune

    recipe = tmp_path / "vqa.yaml"
    recipe.write_text(
        f"output: {tmp_path / 'out'}\n"
        "model: bridgetower-tiny\n"
        "data: {name: vqav2, images: ., train: train2014_questions.json, annotations: train2014_annotations.json,\n"
        "       validation: val2014_questions.json, validation_annotations: val2014_annotations.json}\n"
        "budget: {num_skip: 1}\n"
        "search: {max_steps: 4, interval: 2}\n"
        "train: {max_steps: 6, batch_size: 4}\n"
        "bench: {batch_sizes: [1], repeats: 2}\n"
    )
    done = skiptune("run", str(recipe))
    assert done.returncode == 0, done.stderr
    done = skiptune(
        "evaluate", str(tmp_path / "out"), "--data", str(coco / "val2014_questions.json"), "--format", "vqav2",
        "--images", str(coco), "--submission", str(tmp_path / "results.json"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [row["question_id"] for row in rows] == [40, 41, 50, 51]
    assert all(isinstance(row["answer"], str) and row["answer"] for row in rows)


def test_rows_of_another_task_are_bad_rows_of_a_run(data_folder: Path, tmp_path: Path) -> None:
    """Far behind the first rows: named by line, counted, and none of them is trained on."""
    lines = (data_folder / "train.jsonl").read_text().splitlines()
    other = json.dumps({"image": "0.png", "captions": ["a square"]})
    (tmp_path / "train.jsonl").write_text("\n".join([*lines, *lines, *lines, other]))
    config = DataConfig(name="jsonl", train=str(tmp_path / "train.jsonl"), images=str(data_folder / "images"))
    data = read_parts(config, 0, tmp_path / "logs", Vqa.row_checks)
    assert data.bad_rows["train"][0].startswith("line 145: task 'vqa' needs records with a question")
    assert all(record.text for part in (data.train, data.validation) for record in part)
    assert "line 145" in (tmp_path / "logs" / "bad-train.log").read_text()


def test_every_format_has_a_reader() -> None:
    assert set(SOURCES) == set(get_args(Format))
