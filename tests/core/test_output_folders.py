"""What an output directory may hold, and that every writer asks the same guard."""

from __future__ import annotations

from pathlib import Path

import pytest

from skiptune import InputError
from skiptune.core.output_folders import check_output_folder, make_output_folder


def test_missing_empty_and_own_directories_pass(tmp_path: Path) -> None:
    check_output_folder(tmp_path / "missing", "not reached")
    check_output_folder(tmp_path, "not reached")
    (tmp_path / "mine").touch()
    check_output_folder(tmp_path, "not reached", lambda folder: (folder / "mine").is_file())


def test_files_and_other_content_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="file: a file is in the way; name a directory"):
        check_output_folder(file, "")
    with pytest.raises(InputError, match=r"^output: \S+ is a file; name a directory"):
        check_output_folder(file, "", field="output")
    with pytest.raises(InputError, match=": holds more"):
        check_output_folder(tmp_path, "holds more")
    with pytest.raises(InputError, match=": holds more"):
        check_output_folder(tmp_path, "holds more", lambda folder: False)


def test_a_directory_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    make_output_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"^output: \S+ cannot be made \(Not a directory\); name another one"):
        make_output_folder(tmp_path / "file" / "under", "output")
