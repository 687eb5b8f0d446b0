"""Folders of images by class."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import draw_square
from skiptune import InputError
from skiptune.data.readers.image_folder import read_image_folder


def test_the_folder_of_an_image_is_its_label(tmp_path: Path) -> None:
    for number, name in enumerate(("cats/1.png", "cats/more/2.JPG", "dogs/3.png", ".hidden/4.png", "cats/.5.png")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        draw_square(tmp_path / name.replace(".JPG", ".png"), number).encode()
    (tmp_path / "cats" / "more" / "2.png").rename(tmp_path / "cats" / "more" / "2.JPG")
    (tmp_path / "cats" / "notes.txt").write_text("no image")
    found = read_image_folder(tmp_path)
    assert [(record.label, Path(str(record.image)).name) for record in found] == [
        ("cats", "1.png"),
        ("cats", "2.JPG"),
        ("dogs", "3.png"),
    ]


def test_a_damaged_image_is_a_bad_row_and_an_empty_folder_is_refused(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / "all" / "cats").mkdir(parents=True, exist_ok=True)
        draw_square(tmp_path / "all" / "cats" / f"{number}.png", number)
    (tmp_path / "all" / "cats" / "9.png").write_bytes(b"no image")
    found = read_image_folder(tmp_path / "all")
    assert len(found) == 5
    assert found.bad[0].startswith("cats/9.png: ")
    (tmp_path / "empty").mkdir()
    for name, said in (("empty", "no records in it"), ("none", "no such folder of images by class")):
        with pytest.raises(InputError, match=said):
            read_image_folder(tmp_path / name)
