"""The page for contributors: its paths exist, its layers are those that are checked."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
CHANGES = (
    "a task",
    "a model family",
    "a search strategy",
    "another adapter",
    "a reader of a data format",
    "a form of export",
    "a column of the report",
    "a command-line option",
    "a rival method",
    "a benchmark",
)


def rows(start: str) -> list[list[str]]:
    """The cells of the table whose header begins with ``start``, without header and rule."""
    table = PAGE.partition(f"\n| {start} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


def test_the_table_of_changes_has_all_ten() -> None:
    assert [row[0].strip("| ") for row in rows("you want to add")] == list(CHANGES)


@pytest.mark.parametrize(("page", "least"), [("contributing.md", 30), ("method.md", 10)])
def test_paths_exist(page: str, least: int) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:[\w.*]+/)+[\w.*]*|[\w*]+\.(?:py|toml|md))`", text)
    assert len(paths) >= least
    bases = (ROOT, ROOT / "src" / "skiptune", ROOT / "src" / "skiptune" / "families" / "meter")
    missing = [path for path in paths if "NAME" not in path and not any(any(base.glob(path)) for base in bases)]
    assert not missing


def test_layers_are_those_of_the_contract() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = [contract for contract in content["tool"]["importlinter"]["contracts"] if contract["type"] == "layers"]
    wanted = [set(layer.split(" | ")) for layer in contracts[0]["layers"] if layer != "__main__"]
    assert [set(re.findall(r"`(\w+)`", row[0])) for row in rows("layer")] == wanted


def test_tests_mirror_the_package() -> None:
    package = ROOT / "src" / "skiptune"
    folders = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    others = {"campaign", "cuda", "distributions", "docs", "fixtures", "typing_errors"}
    tested = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert tested - others <= folders
