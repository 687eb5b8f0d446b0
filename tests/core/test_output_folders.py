"""What an output directory may hold; every writer asks the same guard."""

from __future__ import annotations

from pathlib import Path

import pytest

from skiptune import InputError
from skiptune.core.output_folders import is_occupied, make_output_folder


def test_a_directory_is_occupied_when_something_is_in_it(tmp_path: Path) -> None:
    assert not is_occupied(tmp_path / "missing")
    assert not is_occupied(tmp_path)
    (tmp_path / "file").touch()
    assert is_occupied(tmp_path)


def test_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="file: a file is in the way; name a directory"):
        is_occupied(file)
    with pytest.raises(InputError, match=r"^output: \S+ is a file; name a directory"):
        is_occupied(file, "output")


def test_a_directory_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    make_output_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"^output: \S+ cannot be made \(Not a directory\); name another one"):
        make_output_folder(tmp_path / "file" / "under", "output")
