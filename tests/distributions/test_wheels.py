"""What the two wheels hold: the library with its Apache-2.0 weights, and the research-only weights by themselves."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MB = 10**6


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution of the library, built from this checkout."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    folder = tmp_path_factory.mktemp("dist")
    targets = ["--target", "wheel", "--target", "sdist"]
    command = [sys.executable, "-m", "hatchling", "build", *targets, "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def test_the_library_is_small_and_without_research_weights(wheel: Path) -> None:
    assert wheel.stat().st_size < 15 * MB
    with zipfile.ZipFile(wheel) as opened:
        sizes = {entry.filename: entry.file_size for entry in opened.infolist()}
    assert max(sizes.values()) < 8 * MB
    assert not [name for name in sizes if "photos" in name and not name.endswith(".py")]
    assert {name for name in sizes if name.endswith(".safetensors")} == {
        "skiptune/assets/vilt-scenes/model.safetensors",
        "skiptune/assets/llava-scenes/model.safetensors",
    }


def test_the_sources_are_without_research_weights(built: Path) -> None:
    (found,) = built.glob("*.tar.gz")
    with tarfile.open(found) as opened:
        names = [name.split("/", 1)[1] for name in opened.getnames()]
    assert {"LICENSE", "pyproject.toml", "src/skiptune/__init__.pyi"} <= set(names)
    assert not [name for name in names if name.startswith("photos/")]


def test_the_library_holds_every_file_of_its_folder(wheel: Path) -> None:
    """Types, stub, templates and recipes are read at run time; a wheel without them would only fail then."""
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
    folder = ROOT / "src"
    files = {str(path.relative_to(folder).as_posix()) for path in (folder / "skiptune").rglob("*") if path.is_file()}
    assert held == {name for name in files if "__pycache__" not in name}
    assert {"skiptune/py.typed", "skiptune/__init__.pyi", "skiptune/recipes/easy-vqa.yaml"} <= held


def test_the_research_weights_say_what_they_are() -> None:
    try:
        found = distribution("skiptune-photos")
    except PackageNotFoundError:
        pytest.skip("skiptune-photos is not installed")
    assert found.metadata["License-Expression"] == "LicenseRef-Flickr8k-Research-Only"
    licences = {Path(str(file)).name: file for file in found.files or () if "licenses" in str(file)}
    assert set(licences) == {"LICENSE", "Apache-2.0.txt"}
    # the file that is installed with the weights, and the one in this checkout
    for path in (Path(str(licences["LICENSE"].locate())), ROOT / "photos" / "LICENSE"):
        assert "non-commercial research and education only" in path.read_text(encoding="utf-8")


def test_no_research_weights_in_the_source_folder() -> None:
    large = [path for path in (ROOT / "src").rglob("*") if path.is_file() and path.stat().st_size > 8 * MB]
    assert large == []
