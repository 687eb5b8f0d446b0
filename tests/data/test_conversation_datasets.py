"""Conversations and lists of images in Hugging Face datasets, on disk and in Python: pictures are references."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import skiptune as st
from skiptune import InputError
from skiptune.data.held_pictures import Held
from skiptune.data.pictures import Stored, decode
from skiptune.data.readers.hf_dataset import read_dataset
from skiptune.data.record import Record
from skiptune.data.record_digests import digests_of
from skiptune.data.records import Records
from skiptune.tasks.registry import TASKS

datasets = pytest.importorskip("datasets")
COLOURS = ("red", "blue", "green")
TEXTS = [("user", (None, None, "alike?")), ("assistant", ("no",))]


def encoded(colour: str) -> dict[str, Any]:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def listed() -> Any:
    """Typed parts, images beside, the second row without any."""
    asked = [{"type": "image", "text": None}] * 2 + [{"type": "text", "text": "alike?"}]
    rows = [(asked, [encoded("red"), encoded("blue")]), (asked[2:], []), (asked, [encoded("green")] * 2)]
    said = [{"type": "text", "text": "no"}]
    return datasets.Dataset.from_dict(
        {
            "messages": [[{"role": "user", "content": a}, {"role": "assistant", "content": said}] for a, _ in rows],
            "images": [images for _, images in rows],
        },
        features=datasets.Features(
            {
                "messages": [
                    {
                        "role": datasets.Value("string"),
                        "content": [{"type": datasets.Value("string"), "text": datasets.Value("string")}],
                    }
                ],
                "images": datasets.Sequence(datasets.Image()),
            }
        ),
    )


def nested() -> Any:
    """Images in the parts themselves."""
    part = {"type": datasets.Value("string"), "text": datasets.Value("string"), "image": datasets.Image()}
    image = [{"type": "image", "text": None, "image": encoded(colour)} for colour in ("red", "blue")]
    content = [*image, {"type": "text", "text": "alike?", "image": None}]
    answer = [{"type": "text", "text": "no", "image": None}]
    return datasets.Dataset.from_dict(
        {"messages": [[{"role": "user", "content": content}, {"role": "assistant", "content": answer}]]},
        features=datasets.Features({"messages": [{"role": datasets.Value("string"), "content": [part]}]}),
    )


def colours(record: Record) -> list[Any]:
    return [decode(picture).getpixel((0, 0)) for picture in record.images]


def said(record: Record) -> list[tuple[str, tuple[str | None, ...]]]:
    return [(turn.role, turn.parts) for turn in record.turns]


def on_disk(dataset: Any, folder: Path) -> Records:
    dataset.save_to_disk(folder)
    return read_dataset(folder, **TASKS["generation"].row_checks())


def in_python(dataset: Any, folder: Path) -> Records:
    return st.records(dataset, "generation")


RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 128, 0)


@pytest.mark.parametrize(("read", "kind"), [(on_disk, Stored), (in_python, Held)])
def test_pictures_in_lists_and_in_parts_are_references(read: Any, kind: type, tmp_path: Path) -> None:
    found = read(listed(), tmp_path / "listed")
    assert [colours(record) for record in found] == [[RED, BLUE], [], [GREEN, GREEN]]
    assert said(found[0]) == said(found[2]) == TEXTS
    assert said(found[1]) == [("user", ("alike?",)), ("assistant", ("no",))]
    assert all(isinstance(picture, kind) for record in found for picture in record.images)
    (inside,) = read(nested(), tmp_path / "nested")
    assert (said(inside), colours(inside)) == (TEXTS, [RED, BLUE])
    assert all(isinstance(picture, kind) for picture in inside.images)
    assert len(set(found.pictures())) == 4
    assert digests_of(found)["images"] != digests_of(found[:2])["images"]


def test_rows_of_a_dataset_keep_their_order_and_selection() -> None:
    found = st.records(listed().select([2, 0]), "generation")
    assert [colours(record) for record in found] == [[GREEN, GREEN], [RED, BLUE]]


def test_a_transform_of_rows_is_obeyed() -> None:
    turned = listed().with_transform(lambda batch: {**batch, "images": [images[::-1] for images in batch["images"]]})
    found = st.records(turned, "generation")
    assert [colours(record) for record in found] == [[BLUE, RED], [], [GREEN, GREEN]]
    assert isinstance(found[0].image, Held)
    assert found[0].image.inside == "0"


def test_a_folder_of_parquet_files_and_a_choice_by_number(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    data = {"image": [encoded("red"), None], "question": ["which?", "1 + 1?"], "choices": [["cat", "dog"], ["2", "3"]]}
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "question": datasets.Value("string"),
            "choices": datasets.Sequence(datasets.Value("string")),
            "answer": datasets.Value("int8"),
        }
    )
    datasets.Dataset.from_dict({**data, "answer": [1, 0]}, features=features).to_parquet(folder / "train.parquet")
    found = read_dataset(folder, **TASKS["generation"].row_checks())
    assert [(record.answers, record.options) for record in found] == [
        ({"dog": 1.0}, ("cat", "dog")),
        ({"2": 1.0}, ("2", "3")),
    ]
    assert [len(record.images) for record in found] == [1, 0]


def test_columns_of_json_texts_are_conversations(tmp_path: Path) -> None:
    turns = json.dumps([{"from": "human", "value": "<image>what?"}, {"from": "gpt", "value": "red"}])
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    saved = tmp_path / "set"
    datasets.Dataset.from_dict({"dialog": [turns], "photo": ["a.png"]}).save_to_disk(saved)
    columns = {"conversations": "dialog", "image": "photo"}
    (found,) = read_dataset(saved, None, columns, tmp_path, **TASKS["generation"].row_checks())
    assert said(found) == [("user", (None, "what?")), ("assistant", ("red",))]
    with pytest.raises(InputError, match="no column 'dialogue'; did you mean 'dialog'"):
        read_dataset(saved, None, {"conversations": "dialogue"}, tmp_path)


def test_pictures_in_memory_stand_beside_conversations(tmp_path: Path) -> None:
    import numpy as np

    pixels = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    rows = [
        {"images": [Image.new("RGB", (4, 4), "red"), "blue.png"], "messages": [{"role": "user", "content": "alike?"}]},
        {"images": pixels, "messages": [{"role": "user", "content": "alike?"}]},
        {"image": encoded("red"), "messages": [{"role": "user", "content": "alike?"}]},
    ]
    Image.new("RGB", (4, 4), "blue").save(tmp_path / "blue.png")
    for row in rows:
        row["messages"] += [{"role": "assistant", "content": "no"}]  # type: ignore[operator]
    found = st.records(rows, "generation", images=tmp_path, most_bad=0)
    assert [colours(record) for record in found] == [[RED, BLUE], [(0, 0, 0)] * 2, [RED]]
