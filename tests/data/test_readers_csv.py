"""Tables as CSV files, and fields under other names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import draw_square
from skiptune import InputError, read_jsonl
from skiptune.data.data_config import DataConfig
from skiptune.data.parts import read_parts
from skiptune.data.readers.csv_table import read_csv


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for number in range(4):
        draw_square(folder / f"{number}.png", number)
    return folder


@pytest.mark.parametrize("between", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_is_read_as_the_same_lines_of_json(between: str, mark: str, images: Path, tmp_path: Path) -> None:
    rows = [
        ["0.png", 'what, or "which"?\nreally?', "red; or so", ""],
        ["1.png", "colour?", "", '{"red": 2, "blue": 1}'],
    ]
    table = [["image", "question", "answer", "answers"], *rows]
    quoted = (
        "\r\n".join(between.join('"' + text.replace('"', '""') + '"' for text in row) for row in table)
    ) + "\r\n\r\n"
    (tmp_path / "q.csv").write_bytes((mark + quoted).encode())
    lines = [
        {"image": "0.png", "question": rows[0][1], "answer": "red; or so"},
        {"image": "1.png", "question": "colour?", "answers": {"red": 2, "blue": 1}},
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert list(read_csv(tmp_path / "q.csv", images)) == list(read_jsonl(tmp_path / "q.jsonl", images))


def test_a_list_is_read_as_lines_are(images: Path, tmp_path: Path) -> None:
    rows = [{"image": f"{number}.png", "question": "colour?", "answer": "red"} for number in range(3)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "q.json").write_text("\ufeff" + json.dumps([*rows, {"image": "9.png"}], indent=1))
    found = read_jsonl(tmp_path / "q.json", images, most_bad=0.5)
    assert list(found) == list(read_jsonl(tmp_path / "q.jsonl", images))
    assert found.bad[0].startswith("entry 4: ")
    (tmp_path / "q.json").write_text(json.dumps(rows)[:-3])
    with pytest.raises(InputError, match="not valid JSON, or cut off"):
        read_jsonl(tmp_path / "q.json", images)


def test_bad_rows_of_a_table_are_named_by_line(images: Path, tmp_path: Path) -> None:
    text = (
        'image,question,answer\n0.png,"two\nlines",red\n1.png,colour?\n9.png,colour?,red\n2.png,,red\n3.png,colour?,\n'
    )
    (tmp_path / "q.csv").write_text(text)
    found = read_csv(tmp_path / "q.csv", images, most_bad=0.9)
    assert len(found) == 1
    assert [line.partition(":")[0] for line in found.bad] == ["line 4", "line 5", "line 6", "line 7"]
    assert found.bad[0] == "line 4: 2 values for 3 columns"


def test_labels_of_a_table_may_be_names_or_numbers(images: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "image,sentence,label\n0.png,it is red,true\n1.png,it is red,0\n2.png,it is red,1\n"
    )
    assert [record.label for record in read_csv(tmp_path / "s.csv", images)] == [1, 0, 1]


def test_fields_may_have_other_names(images: Path, tmp_path: Path) -> None:
    row = {"file_name": "0.png", "query": "colour?", "reply": "red", "answer": None}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "q.csv").write_text("file_name,query,reply\n0.png,colour?,red\n")
    columns = {"image": "file_name", "question": "query", "answer": "reply"}
    for name in ("jsonl", "csv"):
        files = {"train": str(tmp_path / f"q.{name}"), "validation": str(tmp_path / f"q.{name}"), "images": str(images)}
        data = read_parts(DataConfig.from_dict({"name": name, "columns": columns, **files}), 0)
        assert [record.answers for record in data.train] == [{"red": 1.0}]


def test_tables_that_are_none_are_refused(images: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("image,question,answer\n0.png,colour?,red\n")
    (tmp_path / "twice.csv").write_text("image,image\n0.png,1.png\n")
    for given, columns, said in (
        ("q.csv", {"image": "imag"}, "no column 'imag'; did you mean 'image'?"),
        ("q.csv", {"imag": "image"}, "'imag' is no field; did you mean 'image'?"),
        ("twice.csv", {}, "two columns have one name"),
        ("none.csv", {}, "no such file"),
    ):
        with pytest.raises(InputError, match=said):
            read_csv(tmp_path / given, images, columns)
    with pytest.raises(InputError, match="'imag' is no field"):
        read_jsonl(tmp_path / "q.csv", images, columns={"imag": "image"})
