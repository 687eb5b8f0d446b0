"""Open several models under names; those on one base share its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..core.process import best_device
from ..core.validation import Problems
from ..exporting.slim_folder import slim_folder

if TYPE_CHECKING:
    from ..predicting.pipeline import Pipeline


@dataclass(frozen=True)
class Opened:
    """A model that can be asked.

    Attributes:
        name: what it is called by those who ask.
        folder: the slim directory or plain checkpoint.
        pipeline: the model with its task.
        base: name of the base whose weights it shares with others; ``None``: it stands alone.
    """

    name: str
    folder: Path
    pipeline: Pipeline
    base: str | None = None


def named_folders(models: Sequence[str]) -> dict[str, Path]:
    """Names and directories of what a command line names: ``kitchen=runs/7`` or ``runs/kitchen``.

    Without a name it is the last part of the path, so ``runs/kitchen`` and ``runs/kitchen/slim`` are both ``kitchen``.

    Raises:
        InputError: one is no slim model, or two have the same name; all problems at once.
    """
    problems = Problems("models")
    found: dict[str, Path] = {}
    for given in models:
        # A directory may have = in its name.
        name, _, path = given.partition("=") if "=" in given and not Path(given).exists() else ("", "", given)
        if set(name) & set("/\\"):
            problems.add(f"{given}: there is no such directory, and {name!r} is no name: it has a slash")
            continue
        try:
            folder = slim_folder(path)
        except InputError as error:
            problems.add(str(error))
            continue
        called = name or _called(Path(path))
        problems.check(called not in found, f"{given}: another model is called {called!r}; give a name: NAME={path}")
        found.setdefault(called, folder)
    problems.check(bool(models), "give at least one")
    problems.raise_any()
    return found


def open_models(folders: Mapping[str, Path], backend: str | None = None, base: str | None = None) -> list[Opened]:
    """Load models, in their order.

    Several of the form ``adapters`` on one base share its frozen weights, see :class:`SharedBase`.

    Args:
        folders: directories by name, see :func:`named_folders`.
        backend: as :func:`skiptune.pipeline`.
        base: another place of the base model of all that need one.

    Raises:
        InputError: a directory is damaged, was exported without a task, or has nothing for the backend.
    """
    # A process that only names models, as one that others answer for, does without torch.
    from ..exporting.open_pipeline import pipeline
    from ..exporting.shared_base import SharedBase
    from ..predicting.pipeline import Pipeline

    wanted = {name: _base_of(folder, backend, base) for name, folder in folders.items()}
    places = list(wanted.values())
    shared = {place: SharedBase(place).to(best_device()) for place in places if place and places.count(place) > 1}
    found = []
    for name, folder in folders.items():
        place = wanted[name]
        if place in shared:
            model = shared[place].attach(name, folder)
            found.append(Opened(name, folder, Pipeline(model, shared[place].task(name)), place))
        else:
            found.append(Opened(name, folder, pipeline(folder, backend=backend, base=base)))
    return found


def _called(path: Path) -> str:
    name = path.resolve().name
    return path.resolve().parent.name if name in ("slim", "plain") else name


def _base_of(folder: Path, backend: str | None, base: str | None) -> str | None:
    """The base that a model's directory leaves out; ``None``: it has all of its weights."""
    from ..exporting.manifest import is_slim, read_manifest

    if backend not in (None, "torch") or not is_slim(folder):
        return None
    manifest = read_manifest(folder)
    return (base or manifest.base) if manifest.form == "adapters" else None
