"""The recipes that come with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def packaged_recipes() -> dict[str, Path]:
    """Recipes that come with the package, by name."""
    folder = Path(str(files("skiptune") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
