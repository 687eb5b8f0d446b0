"""Records from dictionaries, columns and datasets, with pictures of every kind; wherever records are taken."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import COLOURS, MakeModel
from skiptune import (
    Budget,
    Classification,
    Experiment,
    InputError,
    Reasoning,
    Record,
    SearchConfig,
    SkipConfig,
    TrainConfig,
    Vqa,
    evaluate,
    fit,
    load_processor,
    records,
    search,
    split_by_image,
)
from skiptune.data.pictures import decode
from skiptune.data.record_digests import digests_of
from skiptune.data.records import Records
from skiptune.data.splits import check_disjoint

datasets = pytest.importorskip("datasets")


def picture(data_folder: Path, number: int) -> Path:
    return data_folder / "images" / f"{number}.png"


def every_kind(path: Path) -> list[Any]:
    """One picture as a path, a text, bytes, a Pillow image, an array and a tensor."""
    image = Image.open(path)
    array = np.asarray(image)
    return [path, str(path), path.read_bytes(), image, array, torch.from_numpy(array.copy()).permute(2, 0, 1)]


def rows_of(data_folder: Path, count: int = 16) -> list[dict[str, Any]]:
    """Questions about Pillow images."""
    colours = list(COLOURS)
    return [
        {"image": Image.open(picture(data_folder, k)), "question": "colour?", "answer": colours[(k + k // 4) % 4]}
        for k in range(count)
    ]


def test_pictures_of_every_kind_are_one_picture(data_folder: Path) -> None:
    found = records([{"image": each, "label": 1} for each in every_kind(picture(data_folder, 3))])
    task = Classification(load_processor("vilt-tiny"), ("0", "1"))
    pixels = [task.images.pixels(record.image) for record in found]
    assert all(np.array_equal(each, pixels[0]) for each in pixels)
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(task.images.pixels(again[4].image), pixels[0])
    assert found[3].place == "records, row 3"


def test_pictures_in_memory_are_converted_as_files_are(tmp_path: Path) -> None:
    """Alpha on white, 16 bits, EXIF; and the setting that leaves EXIF alone."""
    clear = Image.new("RGBA", (6, 4), (255, 0, 0, 0))
    deep = Image.fromarray(np.full((4, 6), 256 * 77, dtype=np.uint16))
    turned = Image.new("RGB", (6, 4), "blue")
    turned.getexif()[0x0112] = 6
    found = records([{"image": image, "value": 1.0} for image in (clear, deep, turned)])
    assert decode(found[0].image).getpixel((0, 0)) == (255, 255, 255)
    assert decode(found[1].image).getpixel((0, 0)) == (77, 77, 77)
    assert [decode(found[2].image, upright).size for upright in (True, False)] == [(4, 6), (6, 4)]


def test_bad_rows_are_left_out_and_counted(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = {"image": picture(data_folder, 0), "question": "q?", "answer": "a"}
    bad = [
        {**good, "image": "nowhere.png"},
        {**good, "image": b"no picture"},
        {**good, "image": np.zeros((5, 5, 6))},
        {**good, "image": None},
        {**good, "answer": float("nan")},
        {"image": good["image"], "label": 1},
        7,
    ]
    found = records([good, *bad], task="vqa", most_bad=0.9)
    assert (len(found), found.rows, len(found.bad)) == (1, 8, 7)
    assert found.bad[0] == "row 1: image nowhere.png: no such file"
    assert found.bad[1] == "row 2: image in memory: cannot be read (not JPEG, PNG, GIF, WEBP, BMP or TIFF)"
    with pytest.raises(InputError, match="records: 7 of 8 rows are bad"):
        records([good, *bad], task="vqa")
    processor = load_processor("vilt-tiny")
    Vqa.from_records(processor, [good, {**good, "answer": "b"}] * 4 + bad[:1])
    assert "records: 1 of 9 rows left out, e.g. row 8: image nowhere.png" in " ".join(capsys.readouterr().err.split())


def test_columns_of_other_names_and_mappings_of_columns(data_folder: Path) -> None:
    path = picture(data_folder, 0)
    expected = [Record(path, "a", label="3"), Record(path, "b", label="4")]
    data = {"file": ["0.png", "0.png"], "text": np.array(["a", "b"]), "kind": np.array([3, 4])}
    found = records(data, "classification", {"image": "file", "label": "kind"}, images=path.parent)
    assert list(found) == expected
    assert list(records(expected)) == expected
    statement = {"image": path, "image2": path, "text": "so it is", "label": np.bool_(True)}
    assert list(records([statement], Reasoning)) == [Record(path, "so it is", image2=path, label=1)]
    for wrong, message in [
        ({"image": [path], "label": [1, 2]}, "need one length; found image 1, label 2"),
        ("questions", "records: str given; expected rows or records"),
        (7, "records: int given; expected rows or records"),
    ]:
        with pytest.raises(InputError, match=message):
            records(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="columns: 'imag' is no field; did you mean 'image'"):
        records([statement], columns={"imag": "file"})
    with pytest.raises(InputError, match="task: 'vqq'"):
        records([statement], "vqq")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def dataset(data_folder: Path) -> Any:
    """Sixteen pictures with the names of their colours."""
    kinds = datasets.ClassLabel(names=list(COLOURS))
    features = datasets.Features({"image": datasets.Image(), "label": kinds, "note": datasets.Value("string")})
    columns = {
        "image": [str(picture(data_folder, k)) for k in range(16)],
        "label": [(k + k // 4) % 4 for k in range(16)],
        "note": [f"note {k}" for k in range(16)],
    }
    return datasets.Dataset.from_dict(columns, features=features)


def test_a_dataset_is_read_row_by_row(dataset: Any, data_folder: Path, tmp_path: Path) -> None:
    embedded = dataset.map(lambda row: {"image": {"bytes": Path(row["image"].filename).read_bytes(), "path": None}})
    embedded.save_to_disk(str(tmp_path / "saved"))
    saved = datasets.load_from_disk(str(tmp_path / "saved"))
    for given in (dataset, embedded, saved.with_format("torch")):
        chosen = given.filter(lambda row: row["label"] != 0).select(range(3, 9)).shuffle(seed=3)
        found = records(chosen, "classification", {"text": "note"})
        for record in found:
            number = int(record.text.split()[1])
            assert record.label == list(COLOURS)[(number + number // 4) % 4]
            assert np.array_equal(
                np.asarray(decode(record.image)), np.asarray(Image.open(picture(data_folder, number)))
            )
        assert len(found) == 6
    assert digests_of(records(embedded)) == digests_of(records(saved))


def test_a_dataset_with_gaps_and_with_a_transform(dataset: Any) -> None:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    image = Image.new("RGB", (8, 8))
    gaps = datasets.Dataset.from_dict({"image": [image, None, image], "label": [1, 2, None]}, features=features)
    found = records(gaps.select([2, 1, 0]), "classification", most_bad=0.9)
    assert [record.label for record in found] == ["1"]
    assert found.bad == [
        "row 0: label: missing (or give labels, a list or a mapping from label to score)",
        "row 1: image: None is no image; give a path, encoded bytes, a Pillow image or an array",
    ]
    broken = {"image": [{"bytes": b"no picture", "path": None}], "label": [1]}
    damaged = records(datasets.Dataset.from_dict(broken, features=features), "classification")
    with pytest.raises(InputError, match=r"image in the dataset \(image 0\): cannot be read"):
        decode(damaged[0].image)
    grey = dataset.with_transform(lambda rows: {**rows, "image": [each.convert("L") for each in rows["image"]]})
    assert np.asarray(decode(records(grey)[0].image)).std(axis=2).max() == 0
    with pytest.raises(InputError, match="no column image; its columns are photo, label, note; give columns"):
        records(dataset.rename_column("image", "photo"), columns={"text": "note"})
    with pytest.raises(InputError, match="it has the splits train, test"):
        records(datasets.DatasetDict({"train": dataset, "test": dataset}))


def test_pictures_in_memory_are_known_by_their_content(data_folder: Path) -> None:
    def labelled(pictures: list[Any]) -> Records:
        return records([{"image": each, "label": k} for k, each in enumerate(pictures)])

    paths = [picture(data_folder, k) for k in range(4)]
    opened, encoded = [Image.open(path) for path in paths], [path.read_bytes() for path in paths]
    assert digests_of(labelled(opened)) == digests_of(labelled([image.copy() for image in opened]))
    assert digests_of(labelled(opened))["images"] != digests_of(labelled(opened[::-1]))["images"]
    for twice in (opened + [image.copy() for image in opened], [*paths, *encoded]):
        train, valid = split_by_image(labelled(twice), 0.25, seed=0)
        assert (len(train), len(valid)) == (6, 2)
    with pytest.raises(InputError, match="train and test share 1 image,"):
        check_disjoint({"train": labelled(opened[:2]), "test": labelled(opened[1:])})


def test_rows_are_taken_wherever_records_are(make_model: MakeModel, data_folder: Path) -> None:
    rows = rows_of(data_folder)
    task = Vqa.from_records(load_processor("vilt-tiny"), rows)
    config = TrainConfig(max_steps=2, batch_size=4)
    experiment = Experiment(task, rows[:12], rows[12:], Budget(num_skip=1), SearchConfig(max_steps=2), config)
    assert isinstance(experiment.train[0], Record)
    model = make_model(SkipConfig())
    fit(model, experiment, search(model, experiment))
    unknown = {"image": rows[0]["image"], "question": "and now?"}
    found = evaluate(model, task, [*rows, unknown])
    assert (found.count, found.unanswered) == (16, 1)
    files = [{**row, "image": picture(data_folder, k)} for k, row in enumerate(rows)]
    assert evaluate(model, task, files).loss == found.loss
    train, valid = split_by_image(rows, 0.25, seed=1)
    assert (len(train), len(valid)) == (12, 4)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("vqa", "row 0: question: missing"),
        ("reasoning", "row 0: sentence: missing"),
        ("entailment", "row 0: sentence: missing"),
        ("retrieval", "row 0: captions: missing"),
        (None, "row 0: question: missing, and so are sentence, captions, label and value"),
    ],
)
def test_the_field_of_the_task_is_named_where_it_is_missing(task: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        records([{"image": Image.new("RGB", (4, 4))}], task=task)
    with pytest.raises(InputError, match="row 0: expected a row of named fields"):
        records([5, {"image": Image.new("RGB", (4, 4))}], task=task)
