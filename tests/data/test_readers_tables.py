"""Arrow tables of the released code, datasets on disk, and the table of records itself."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from arrow_tables import encoded, vqa_columns, write_table
from conftest import draw_square
from skiptune import InputError
from skiptune.cli.data_options import format_of
from skiptune.data import record_table as table
from skiptune.data.pictures import Stored, decode
from skiptune.data.readers.arrow import read_arrow, released_vocabulary
from skiptune.data.readers.hf_dataset import read_dataset
from skiptune.data.record import Record
from skiptune.data.records import Records
from skiptune.data.splits import check_disjoint, split_by_image


def test_question_tables(tmp_path: Path) -> None:
    path = write_table(tmp_path / "vqav2_train.arrow", vqa_columns())
    found = read_arrow(path)
    stored = [Stored(str(path), "image", row) for row in (0, 0, 1)]
    assert list(found) == [
        Record(stored[0], "what?", {"net": 1.0, "goal": 0.3}, id="50"),
        Record(stored[1], "who?", {"man": 0.9}, id="51"),
        Record(stored[2], "how many?", {"2": 0.6}, id="60"),
    ]
    assert decode(found[2].image).getpixel((0, 0)) == (20, 0, 0)
    assert len(found.pictures()) == 2
    assert released_vocabulary([path]) == ["net", "man", "goal", "2"]
    other = {**vqa_columns(), "answer_labels": [[[0, 2], [9]], [[3]]]}
    gap = write_table(tmp_path / "gap.arrow", other)
    assert released_vocabulary([gap]) == ["net", "goal", "2", "man"]  # labels 0, 2, 3, 9
    plain = {name: value for name, value in vqa_columns().items() if name != "answer_labels"}
    assert released_vocabulary([path, write_table(tmp_path / "plain.arrow", plain)]) == []
    with pytest.raises(InputError, match="label 1 is both"):
        released_vocabulary(
            [path, write_table(tmp_path / "two.arrow", {**other, "answer_labels": [[[1, 2], [0]], [[3]]]})]
        )


def test_test_tables_have_no_answers(tmp_path: Path) -> None:
    empty = {**vqa_columns(), **{name: [[], []] for name in ("answers", "answer_labels", "answer_scores")}}
    found = read_arrow(write_table(tmp_path / "vqav2_test.arrow", empty))
    assert [(record.text, record.answers, record.id) for record in found] == [
        ("what?", {}, "50"),
        ("who?", {}, "51"),
        ("how many?", {}, "60"),
    ]


def test_pair_tables(tmp_path: Path) -> None:
    columns = {
        "image_0": [encoded(1), encoded(2)],
        "image_1": [encoded(3), encoded(4)],
        "questions": [["a", "b"], ["c"]],
        "answers": [["True", "False"], ["True"]],
        "identifier": ["train-7-0", "train-7-1"],
    }
    found = read_arrow(write_table(tmp_path / "nlvr2_train.arrow", columns))
    assert [(record.text, record.label, record.group) for record in found] == [
        ("a", 1, "train-7"),
        ("b", 0, "train-7"),
        ("c", 1, "train-7"),
    ]
    assert [decode(image).getpixel((0, 0))[0] for image in found[2].images] == [2, 4]  # type: ignore[index]


def test_caption_tables_are_joined(tmp_path: Path) -> None:
    files = [
        write_table(
            tmp_path / f"coco_caption_karpathy_{split}.arrow",
            {"image": [encoded(n)], "caption": [[f"{split} one", "two"]], "image_id": [f"{n}.jpg"], "split": [split]},
        )
        for n, split in enumerate(["train", "restval"])
    ]
    found = read_arrow(files)
    assert [(record.id, record.captions) for record in found] == [
        ("0.jpg", ("train one", "two")),
        ("1.jpg", ("restval one", "two")),
    ]
    assert decode(found[1].image).getpixel((0, 0)) == (1, 0, 0)


def test_entailment_tables(tmp_path: Path) -> None:
    columns = {"image": [encoded(1)], "sentences": [[["premise", "one "], ["premise", "two"]]], "labels": [[2, 0]]}
    found = read_arrow(write_table(tmp_path / "snli_dev.arrow", columns))
    assert [(record.text, record.label) for record in found] == [("one", 2), ("two", 0)]


def test_bad_elements_of_tables_are_left_out(tmp_path: Path) -> None:
    columns = vqa_columns()
    columns["image"][1] = b""
    columns["questions"][0][1] = " "
    path = write_table(tmp_path / "bad.arrow", columns)
    found = read_arrow(path, most_bad=0.7, log=tmp_path / "bad.txt")
    assert [record.text for record in found] == ["what?"]
    assert [text.partition(":")[0] for text in found.bad] == ["row 0, element 1", "row 1, element 0"]
    assert len((tmp_path / "bad.txt").read_text().splitlines()) == 2
    with pytest.raises(InputError, match="2 of 3 rows are bad"):
        read_arrow(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"bad2\.arrow: not an Arrow file, or cut off"):
        read_arrow(path.rename(tmp_path / "bad2.arrow"))
    with pytest.raises(InputError, match="columns x are those of no task"):
        read_arrow(write_table(tmp_path / "other.arrow", {"x": [1]}))
    with pytest.raises(InputError, match=r"none\.arrow: no such file"):
        read_arrow(tmp_path / "none.arrow")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A dataset of two parts: images inside, class labels, and other names than ours."""
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {
            "picture": datasets.Image(),
            "question": datasets.Value("string"),
            "colour": datasets.ClassLabel(names=["red", "blue"]),
        }
    )

    def rows(start: int) -> Any:
        images = [Image.new("RGB", (8, 8), (start + k, 0, 0)) for k in range(5)]
        content = {"picture": images, "question": [f"q{k}?" for k in range(5)], "colour": [0, 1, 0, 1, 0]}
        return datasets.Dataset.from_dict(content, features=features)

    whole = datasets.DatasetDict({"train": rows(100), "test": rows(200)})
    datasets.disable_progress_bars()
    whole.save_to_disk(str(tmp_path / "saved"))
    return tmp_path / "saved"


def test_saved_datasets(saved: Path) -> None:
    columns = {"image": "picture", "answer": "colour"}
    found = read_dataset(saved, "test", columns)
    assert [record.answers for record in found[:2]] == [{"red": 1.0}, {"blue": 1.0}]
    assert decode(found[3].image).getpixel((0, 0)) == (203, 0, 0)
    assert len(read_dataset(saved / "train", columns=columns)) == 5
    with pytest.raises(InputError, match=r"split: 'tests'.*did you mean 'test'"):
        read_dataset(saved, "tests", columns)
    with pytest.raises(InputError, match=r"split: missing; .* has .*name the one to read"):
        read_dataset(saved, columns=columns)
    with pytest.raises(InputError, match="no column 'pictures'; did you mean 'picture'"):
        read_dataset(saved, "test", {"image": "pictures"})
    with pytest.raises(InputError, match="'images' is no field; did you mean 'image'"):
        read_dataset(saved, "test", {"images": "picture"})
    with pytest.raises(InputError, match="no column image"):
        read_dataset(saved, "test")
    with pytest.raises(InputError, match="no such dataset folder"):
        read_dataset(saved / "none")


def test_a_parquet_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    draw_square(tmp_path / "a.png", 1)
    rows = {"image": ["a.png"], "question": ["what colour?"], "answer": ["red"]}
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "rows.parquet")
    (record,) = read_dataset(tmp_path / "rows.parquet")
    assert (record.image, record.answers) == (tmp_path / "a.png", {"red": 1.0})
    assert [format_of(name, None) for name in ("rows.parquet", "a.CSV", "rows.json")] == ["dataset", "csv", "jsonl"]


def test_dataset_folders_with_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "rows"
    folder.mkdir()
    Image.new("RGB", (8, 8), (9, 0, 0)).save(tmp_path / "a.png")
    content = {"image": ["a.png", "a.png"], "caption": ["one", "two"]}
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(content).to_parquet(str(folder / "train.parquet"))
    found = read_dataset(folder, images=tmp_path)
    assert list(found) == [Record(tmp_path / "a.png", captions=(text,)) for text in ("one", "two")]


def many(tmp_path: Path, count: int = 100) -> list[Record]:
    return [
        Record(tmp_path / f"{k % 10}.png", f"q{k}?", {str(k): 1.0}, image2=tmp_path / "x.png" if k % 7 == 0 else None)
        for k in range(count)
    ]


@pytest.mark.parametrize("limit", [0, 2**30])
def test_tables_give_back_what_was_put_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(table, "_IN_MEMORY", limit)
    expected = many(tmp_path, table.BATCH + 1000)
    found = Records.of(expected)
    assert (found.table.path is None) == (limit > 0)
    assert list(found) == expected
    assert found[-1] == expected[-1]
    assert found[table.BATCH] == expected[table.BATCH]
    rows = np.random.default_rng(0).permutation(len(expected))[:500]
    assert list(found.select(rows)) == [expected[row] for row in rows]
    assert list(found[5:20:3][1:]) == expected[5:20:3][1:]
    again = pickle.loads(pickle.dumps(found))
    assert list(again[8000:8500]) == expected[8000:8500]
    with pytest.raises(IndexError):
        found[len(expected)]


def test_pictures_are_kept_once(tmp_path: Path) -> None:
    found = Records.of(many(tmp_path))
    assert found.table.pictures.num_rows == 11
    assert len(found.select([0, 10, 1]).pictures()) == 3
    held = Records.of([Record(b"bytes", "q?"), Record(b"bytes", "and?"), Record(b"others", "q?")])
    assert held.table.pictures.num_rows == 2


def test_splits_keep_tied_images_together(tmp_path: Path) -> None:
    pairs = [(0, 1), (1, 2), (3, 4), (5, 6), (7, 8), (8, 0), (9, 9)]
    records = [Record(tmp_path / f"{a}.png", "s", image2=tmp_path / f"{b}.png", label=1) for a, b in pairs]
    records.append(Record(tmp_path / "10.png", "s", label=1, group="g"))
    records.append(Record(tmp_path / "3.png", "s", label=1, group="g"))
    for seed in range(5):
        kept, heldout = split_by_image(records, 0.5, seed)
        images = [{image for record in part for image in record.images} for part in (kept, heldout)]
        assert not images[0] & images[1]
        assert len({record.group for record in kept if record.group} & {r.group for r in heldout if r.group}) == 0


def test_shared_content_is_found_whatever_holds_it(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encoded(number))
    same_end = encoded(0)
    (tmp_path / "long.png").write_bytes(same_end + b"x" * 5000)
    (tmp_path / "longer.png").write_bytes(b"y" + same_end[1:] + b"x" * 5000)
    stored = write_table(tmp_path / "t.arrow", {"image": [encoded(7), encoded(1)], "caption": [["a"], ["b"]]})
    first = [Record(tmp_path / name, "q?") for name in ("0.png", "1.png", "long.png")]
    check_disjoint({"train": first, "test": [Record(tmp_path / name) for name in ("2.png", "longer.png")]})
    with pytest.raises(InputError, match=r"train and test share 1 image, e\.g\. .*t\.arrow:image\[1\]"):
        check_disjoint({"train": first, "test": read_arrow(stored)})
    (tmp_path / "copy.png").write_bytes(encoded(1))  # copies count once
    copies = [Record(tmp_path / name) for name in ("1.png", "copy.png")]
    with pytest.raises(InputError, match="train and test share 1 image,"):
        check_disjoint({"train": first, "test": copies})


def test_splits_keep_images_of_the_same_content_together(tmp_path: Path) -> None:
    for number in range(12):  # each twice, under another name, and two that only end alike
        for name in ("a", "b"):
            (tmp_path / f"{name}{number}.png").write_bytes(encoded(number))
    for first in (b"x", b"y"):
        (tmp_path / f"{first.decode()}.png").write_bytes(first + bytes(5000))
    records = [Record(path, "q?") for path in sorted(tmp_path.iterdir())]
    apart = 0
    for seed in range(5):
        kept, heldout = split_by_image(records, 0.5, seed)
        assert (len(kept.pictures()) + len(heldout.pictures()), len(heldout) > 0) == (26, True)
        check_disjoint({"train": kept, "validation": heldout})
        apart += len({path.name for path in heldout.pictures()} & {"x.png", "y.png"}) == 1  # type: ignore[union-attr]
    assert apart


_WRITER = """
import os, signal, sys, time
from pathlib import Path
from skiptune.data import record_table
from skiptune.data.record import Record
from skiptune.data.records import Records
record_table._IN_MEMORY = 0
records = Records.of([Record(Path("a.png"), "a question")])
print(records.table.path.parent, flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
if sys.argv[1] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_swept_by_the_next(tmp_path: Path) -> None:
    """Tables of one that is still alive stay, and a process that ends as it should leaves nothing."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    def start(what: str) -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, what], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout as said:
            return process, Path(said.readline().strip())

    alive, kept = start("wait")
    try:
        killed, left = start("die")
        assert killed.wait() == -signal.SIGKILL
        assert left.parent == tmp_path
        assert list(left.glob("*.arrow"))
        ended, _ = start("end")
        assert ended.wait() == 0
        assert not left.exists()
        assert list(kept.glob("*.arrow"))
    finally:
        alive.kill()
        alive.wait()
    ended, _ = start("end")
    assert ended.wait() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "other", [[5, 6], ["a.png", "b.png"], [{"path": "a"}, {"path": "b"}], [None, None], [[1], [2]]]
)
def test_an_image_column_of_another_type_is_rows_without_an_image(other: list[Any], tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.arrow", {**vqa_columns(), "image": other})
    with pytest.raises(InputError, match="3 of 3 rows are bad") as refusal:
        read_arrow(path)
    assert f"row 0, element 0: image {path}:image[0]: no bytes there" in str(refusal.value)
