"""The tutorials run from their first cell to their last, each with a few steps on little data."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from docs_pages import NOTEBOOKS
from own_process import OwnProcess

SMALL: dict[str, dict[str, object]] = {
    "easy-vqa": {"steps": 6, "records": 160, "tested": 40},
    "from-peft": {"steps": 4, "records": 120, "tested": 24},
    "own-data": {"pictures": 30, "steps": 6, "repeats": 2},
    "report-card": {"steps": 4, "questions": 80, "tested": 16, "batches": [1, 2], "repeats": 2},
    "trl": {"steps": 4, "batch": 4, "records": 80, "tested": 4},
}


def cells_of(path: Path) -> list[str]:
    """The code of a tutorial, with few steps where it says how many."""
    found = []
    for cell in (cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"):
        found.append(cell.source)
        if "parameters" in cell.metadata.get("tags", ()):
            found += [f"{name} = {value!r}" for name, value in SMALL[path.stem].items()]
    return found


def quick(path: Path) -> Any:
    """A tutorial as a parameter; all but one are slow."""
    return pytest.param(path, marks=[] if path.stem == "easy-vqa" else pytest.mark.slow)


def type_in(cells: list[str]) -> None:
    """Run cells as a notebook does."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    for cell in cells:
        shell.run_cell(cell).raise_error()


@pytest.mark.parametrize("path", [quick(path) for path in NOTEBOOKS], ids=lambda path: path.stem)
def test_tutorial(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # where !skiptune is found
    done = OwnProcess(type_in, cells_of(path)).ended()
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_are_of_the_whole_run_and_small(path: Path) -> None:
    """Made by ``docs/tools/run_notebooks.py``: every cell that prints has its output, and no picture is large."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert path.stat().st_size < 120_000
    for cell in (cell for cell in cells if "print(" in cell.source):
        assert cell.outputs, cell.source
        assert all(out.output_type != "error" for out in cell.outputs)
