"""Find the folder that the images of rows are in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..core.errors import InputError
from ..data.readers.collecting import there

#: Folders below the data that are looked at, and how deep below.
_MOST, _DEEPEST = 500, 3
#: Images that are looked for in each.
_LOOKED_FOR = 20


def folders_below(folder: Path, depth: int = _DEEPEST) -> Iterator[Path]:
    """The folder, and those below it, the nearest first; hidden ones are passed over."""
    level = [folder]
    for _ in range(depth + 1):
        yield from level
        level = [
            inner
            for outer in level
            for inner in sorted(outer.iterdir())
            if inner.is_dir() and not inner.name.startswith(".")
        ][:_MOST]


def image_folder_of(names: Sequence[str], folder: Path) -> Path:
    """The folder, at or below ``folder``, that most of the images ``names`` are in.

    Raises:
        InputError: none has any of them.
    """
    few = names[:: max(1, len(names) // _LOOKED_FOR)]

    def found(candidate: Path) -> int:
        return sum(there(candidate / name) for name in few)

    best = max(folders_below(folder), key=found)
    if not found(best):
        example = f", e.g. {few[0]}" if few else ""
        raise InputError(f"{folder}: the images that the rows name are not in it, nor below it{example}")
    return best


def first_folder(folder: Path, fits: Callable[[Path], bool]) -> Path | None:
    """The first folder, at or below ``folder``, that ``fits``."""
    return next((candidate for candidate in folders_below(folder) if fits(candidate)), None)
