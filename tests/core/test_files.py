"""Files are written whole or not at all, through links or in their place, whatever a killed process left behind."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skiptune import InputError, RunError
from skiptune.core import files
from skiptune.core.files import write_atomically, write_json, write_text
from skiptune.core.output_folders import behind_links, is_occupied, make_output_folder
from skiptune.core.temporaries import is_temporary, temporary_beside


def two_files(folder: Path) -> None:
    folder.mkdir()
    (folder / "a").write_text("a")
    (folder / "b").write_text("b")


@functools.cache
def a_dead_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell whether a process lives without ending it")
@pytest.mark.parametrize("kind", ["file", "directory"])
@pytest.mark.parametrize("whose", ["0.3's", "a dead process's", "an earlier process's of our number"])
def test_what_a_killed_process_left_is_in_nobodys_way_and_removed(kind: str, whose: str, tmp_path: Path) -> None:
    own = temporary_beside(tmp_path / "plan.json").name
    name = {
        "0.3's": f".plan.json.{a_dead_process()}.tmp",
        "a dead process's": own.replace(f"-{os.getpid()}-", f"-{a_dead_process()}-"),
        "an earlier process's of our number": f".plan.json.{os.getpid()}.tmp",
    }[whose]
    left = tmp_path / name
    left.write_text("{") if kind == "file" else two_files(left)
    assert is_temporary(left)
    assert not is_occupied(tmp_path)
    write_json(tmp_path / "plan.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_what_another_thread_or_process_writes_stays(tmp_path: Path) -> None:
    writing = [temporary_beside(tmp_path / "a"), tmp_path / f".a.{os.getppid()}.tmp", tmp_path / ".b.1.tmp"]
    for path in writing:
        path.touch()
    write_text(tmp_path / "a", "text")
    assert all(path.exists() for path in writing)


def test_a_directory_that_was_moved_away_and_not_replaced_comes_back(tmp_path: Path) -> None:
    two_files(tmp_path / f".slim.{a_dead_process()}.old")

    def fail(_: Path) -> None:
        raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        write_atomically(tmp_path / "slim", fail)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "slim"]


def test_all_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    flush, put = files._flush_entry, files._put
    monkeypatch.setattr(files, "_flush_entry", lambda path: (order.append(path.name[-4:]), flush(path)))
    monkeypatch.setattr(files, "_put", lambda new, path: (order.append("rename"), put(new, path)))
    write_atomically(tmp_path / "slim", two_files)
    if os.name != "nt":
        assert sorted(order[:2]) == ["a", "b"]
        assert order[2:] == [".tmp", "rename", tmp_path.name[-4:]]


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_failure_names_the_file_and_leaves_what_was_there(reason: int, tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        two_files(folder)
        raise OSError(reason, os.strerror(reason))

    write_atomically(tmp_path / "slim", lambda folder: folder.mkdir())
    with pytest.raises(RunError) as failure:
        write_atomically(tmp_path / "slim", fail)
    assert str(failure.value) == (
        f"{tmp_path / 'slim'}: could not be written ({os.strerror(reason)}); what was there before is unchanged"
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["slim"]


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a directory is in the way; name a file"):
        write_text(tmp_path, "text")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"below: could not be written"):
        write_text(tmp_path / "file" / "below", "text")


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
class TestLinks:
    def test_outputs_are_written_into_the_target(self, tmp_path: Path) -> None:
        (tmp_path / "target").mkdir()
        (tmp_path / "link").symlink_to("target")
        write_atomically(behind_links(tmp_path / "link"), two_files)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "target" / "a").is_file()
        (tmp_path / "answers").symlink_to(tmp_path / "target" / "a")
        write_text(behind_links(tmp_path / "answers"), "text")
        assert (tmp_path / "target" / "a").read_text() == "text"

    def test_files_of_a_run_are_not_written_elsewhere(self, tmp_path: Path) -> None:
        (tmp_path / "others").write_text("theirs")
        (tmp_path / "plan.json").symlink_to(tmp_path / "others")
        write_text(tmp_path / "plan.json", "ours")
        assert (tmp_path / "others").read_text() == "theirs"

    def test_a_link_to_a_directory_that_is_not_there_yet(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("new")
        assert not is_occupied(tmp_path / "link")
        make_output_folder(tmp_path / "link")
        assert (tmp_path / "new").is_dir()

    @pytest.mark.parametrize("target", ["/nowhere/at/all", "link"])
    def test_links_that_lead_nowhere(self, target: str, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(target)
        for follow in (behind_links, make_output_folder):
            with pytest.raises(InputError, match=r"a symbolic link to .*, which is not there; name another output"):
                follow(tmp_path / "link")
