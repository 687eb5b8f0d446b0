"""Classification by one label and by several, and regression: what is learnt from the data, and measures."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from conftest import Call
from skiptune import Classification, InputError, Record, Regression, evaluate, load_processor, predict
from skiptune.data.record_digests import digests_of
from skiptune.data.records import Records
from skiptune.families.classifier import loss_by_labels
from skiptune.tasks.label_rules import SeveralLabels


class Says(nn.Module):
    """Gives the logits of a batch in the order in which they are written down; the loss is 0."""

    def __init__(self, *logits: list[float]) -> None:
        super().__init__()
        self.logits, self.place = torch.tensor(logits), 0

    def forward(self, **inputs: Tensor) -> Any:
        rows = self.logits[self.place : self.place + len(inputs["input_ids"])]
        self.place += len(rows)
        return SimpleNamespace(logits=rows, loss=torch.tensor(0.0))


def pictures(folder: Path, count: int) -> list[Path]:
    return [folder / "images" / f"{number}.png" for number in range(count)]


def test_labels_are_those_of_the_data(data_folder: Path) -> None:
    processor, paths = load_processor("vilt-tiny"), pictures(data_folder, 4)
    numbers = [Record(path, label=label) for path, label in zip(paths, (10, 9, -1, 9), strict=True)]
    task = Classification.from_records(processor, numbers)
    assert (task.answers, task.several, task.metric) == (("-1", "9", "10"), False, "accuracy")
    assert task.labels(numbers).tolist() == [2, 1, 0, 1]
    assert task.model_changes()["problem_type"] == "single_label_classification"
    names = [Record(path, label=label) for path, label in zip(paths, ("b", "a", "c", "a"), strict=True)]
    assert Classification.from_records(processor, names).answers == ("a", "b", "c")
    rare = Classification.from_records(processor, [*names, names[0]], least=2)
    assert rare.answers == ("a", "b")
    logits = torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    expected = cross_entropy(logits[:1], torch.tensor([0])) / 2  # a label left out adds nothing
    assert loss_by_labels(logits, rare.labels([names[1], names[2]])) == pytest.approx(float(expected))


def test_several_labels_have_scores(data_folder: Path) -> None:
    paths = pictures(data_folder, 3)
    records = [Record(paths[0], labels={"x": 1, "y": 0.5}), Record(paths[1], labels=[]), Record(paths[2], label="y")]
    task = Classification.from_records(load_processor("vilt-tiny"), records)
    assert (task.answers, task.several, task.metric) == (("x", "y"), True, "f1")
    assert task.labels(records).tolist() == [[1, 0.5], [0, 0], [0, 1]]
    logits = torch.randn(3, 2)
    expected = 2 * binary_cross_entropy_with_logits(logits, task.labels(records))
    torch.testing.assert_close(loss_by_labels(logits, task.labels(records)), expected)
    found = evaluate(Says([9.0, -9.0], [-9.0, -9.0], [9.0, 9.0]), task, [*records[:2], Record(paths[2], labels=["z"])])
    assert found.predictions == ("x", "", "x, y")
    assert found.scores == (pytest.approx(2 / 3), 1.0, 0.0)
    assert found.metrics["f1"] == pytest.approx(5 / 9)
    assert (found.metrics["exact_match"], found.unknown) == (pytest.approx(1 / 3), 1)


def test_average_precision_is_that_of_a_ranking() -> None:
    """Of the ranks 1 and 3 of four: (1/1 + 2/3) / 2; of a tie, the share among all that are equal."""
    probabilities = np.array([[0.9, 0.5], [0.8, 0.5], [0.7, 0.5], [0.1, 0.5]])
    truths = [{0: 1.0}, {1: 1.0}, {0: 0.7}, {0: 0.2}]
    found = SeveralLabels().metrics(probabilities, truths)["mean_average_precision"]
    assert found == pytest.approx(((1 + 2 / 3) / 2 + 1 / 4) / 2)


def test_numbers_are_standardised_and_told_in_their_unit(data_folder: Path) -> None:
    paths = pictures(data_folder, 4)
    records = [Record(path, value=value) for path, value in zip(paths, (1e9, 2e9, 3e9, 4e9), strict=True)]
    task = Regression.from_records(load_processor("vilt-tiny"), records)
    deviation = float(np.std([1e9, 2e9, 3e9, 4e9]))
    assert task.settings() == {"mean": 2.5e9, "deviation": pytest.approx(deviation)}
    outputs = [[float(value) + 0.1] for value in task.labels(records)]
    found = evaluate(Says(*outputs, [0.0]), task, [*records, Record(paths[0])])
    assert found.errors == {"mae": pytest.approx(0.1 * deviation), "rmse": pytest.approx(0.1 * deviation)}
    assert found.metrics == {"r2": pytest.approx(0.99)}
    assert found.scores[:4] == pytest.approx([0.9] * 4)
    assert (found.count, found.unanswered, found.predictions[4]) == (4, 1, "2.5e+09")
    assert evaluate(Says(*[[-9.0]] * 4), task, records).headline == 0  # worse than the mean
    assert predict(Says([0.0]), task, paths[0]).answer == 2.5e9
    torch.testing.assert_close(
        loss_by_labels(torch.tensor(outputs), task.labels(records)), mse_loss(torch.tensor(0.1), torch.tensor(0.0))
    )


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Classification, [{"label": "a"}], "labels: 1 given; at least two"),
        (Classification, [{"answers": {"a": 1.0}}], "record 1: task 'classification' needs records with a label"),
        (
            Classification,
            [{"label": "a"}, {"value": 1.0}],
            "record 2: task 'classification' needs records with a label",
        ),
        (Regression, [{"value": 1.0}, {"value": 1.0}], "value: 2 records have one, and no two differ"),
        (Regression, [{"label": 1}], "record 1: task 'regression' needs records with a value"),
    ],
)
def test_records_that_define_no_task(kind: Any, fields: list[Any], message: str, data_folder: Path) -> None:
    records = [Record(data_folder / "images" / "0.png", **values) for values in fields]
    with pytest.raises(InputError, match=message):
        kind.from_records(load_processor("vilt-tiny"), records)


def test_labels_and_numbers_are_kept_in_tables_and_digests(data_folder: Path) -> None:
    path = data_folder / "images" / "0.png"
    records = [
        Record(path, label=2**40),
        Record(path, label="two"),
        Record(path, labels={"a": 0.25}),
        Record(path, labels={}),
        Record(path, value=-0.5),
    ]
    assert list(Records.of(records)) == records
    assert len({digests_of([record])["answers"] for record in [*records, Record(path)]}) == 6


def test_a_run_learns_labels(tiny_recipe: Any, data_folder: Path, tmp_path: Path, call: Call) -> None:
    """Several labels of texts about images, through the commands."""
    rows = [json.loads(line) for line in (data_folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    changed = [{"image": row["image"], "text": row["question"], "labels": [row["answer"], "square"]} for row in rows]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in changed), encoding="utf-8")
    data = {"train": str(tmp_path / "t.jsonl"), "test": None}
    path = tiny_recipe(task="classification", baselines=[], data=data, search={"max_steps": 2}, train={"max_steps": 4})
    code, out, err = call("run", path)
    assert code == 0, err
    assert "validation f1:" in out
    run = tmp_path / "recipe-run"
    images = data_folder / "images"
    code, out, _ = call("predict", run, images / "0.png", "--json")
    assert code == 0
    assert {entry["answer"] for entry in json.loads(out)} == {"blue", "green", "red", "square", "yellow"}
    code, out, _ = call("evaluate", run, "--data", tmp_path / "t.jsonl", "--images", images)
    assert out.splitlines()[2].startswith("mean_average_precision")
