"""The recipes that come with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ..core.errors import InputError
from ..core.validation import nearest


def packaged_recipes() -> dict[str, Path]:
    """Recipes that come with the package, by name: those of a folder in it as ``paper/vilt-vqav2``."""
    folder = Path(str(files("skiptune") / "recipes"))
    found = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.yaml")}
    return dict(sorted(found.items(), key=lambda item: (item[0].count("/"), item[0])))


def recipe_lines() -> dict[str, str]:
    """The line that says what each of them is, by name."""
    return {
        name: path.read_text(encoding="utf-8").splitlines()[1].lstrip("# ") for name, path in packaged_recipes().items()
    }


def recipe_text(name: str, copied_to: Path | None = None) -> str:
    """The text of a packaged recipe.

    Args:
        name: of the recipe.
        copied_to: the file that it is for; its first line then says how to run that.

    Raises:
        InputError: there is none of that name.
    """
    packaged = packaged_recipes()
    if name not in packaged:
        raise InputError(f"{name}: no such packaged recipe{nearest(name, packaged)}")
    text = packaged[name].read_text(encoding="utf-8")
    _, _, rest = text.partition("\n")
    return text if copied_to is None else f"# skiptune run {copied_to}\n{rest}"
