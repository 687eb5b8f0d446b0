"""Reading, splitting and decoding: one bad row never loses the rest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from skiptune import InputError, Record, load_processor, read_easy_vqa, read_jsonl, read_recipe, split_by_image
from skiptune.data.images import ImageStore
from skiptune.data.splits import check_disjoint, count_images
from skiptune.running.packaged_recipes import packaged_recipes


def test_bad_rows_are_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "a.png").read_bytes()[:20])
    good = [{"image": "a.png", "question": f"q{k}?", "answer": k} for k in range(12)]
    good.append({"image": "a.png", "question": "many?", "answers": ["x", "x", "y"]})
    lines = [json.dumps(row) for row in good]
    lines[3:3] = ["{not json", json.dumps({"image": "broken.png", "question": "q?", "answer": "x"}), ""]
    (tmp_path / "q.jsonl").write_text("\n".join(lines))
    found = read_jsonl(tmp_path / "q.jsonl", tmp_path)
    assert len(found.items) == 13
    assert [text.split(":")[0] for text in found.bad] == ["line 4", "line 5"]
    assert found.items[-1].answers == {"x": 0.6, "y": 0.3}


def test_a_file_of_bad_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"image": "none.png", "question": "q?", "answer": "x"}\n' * 3)
    with pytest.raises(InputError, match="3 of 3 rows are bad"):
        read_jsonl(tmp_path / "q.jsonl", tmp_path)


def test_split_is_by_image(records) -> None:
    kept, heldout = split_by_image(records, 0.25, seed=1)
    assert len(kept) + len(heldout) == len(records)
    check_disjoint({"train": kept, "validation": heldout})
    with pytest.raises(InputError, match="share"):
        check_disjoint({"train": records, "validation": heldout})
    with pytest.raises(InputError, match="at least one"):
        split_by_image(records, 0.001, seed=1)


def test_easy_vqa_is_whole() -> None:
    assert (len(read_easy_vqa("train").items), len(read_easy_vqa("test").items)) == (38_575, 9_673)


def test_pixels_are_those_of_the_familys_processor(data_folder: Path) -> None:
    processor = load_processor("vilt-tiny").image_processor
    paths = [data_folder / "images" / f"{number}.png" for number in (0, 3)]
    ours = ImageStore(processor).batch(paths)
    theirs = processor([Image.open(path).convert("RGB") for path in paths], return_tensors="pt")
    torch.testing.assert_close(ours["pixel_values"], theirs["pixel_values"], rtol=0, atol=1e-5)
    assert np.array_equal(ours["pixel_mask"], theirs["pixel_mask"])


@pytest.mark.parametrize("name", list(packaged_recipes()))
def test_packaged_recipes_are_valid(name: str) -> None:
    read_recipe(name)
    assert packaged_recipes()[name].read_text().startswith(f"# skiptune run {name}\n")


def test_texts_without_any_image_are_split() -> None:
    records = [Record(None, f"what is {number} ?", {"a": 1.0}) for number in (*range(10), 0)]
    train, validation = split_by_image(records, 0.3, 0)
    assert not {record.text for record in train} & {record.text for record in validation}
    assert (len(train) + len(validation), count_images(records)) == (11, 10)
