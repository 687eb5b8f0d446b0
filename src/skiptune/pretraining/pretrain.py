"""Which embedded model to pre-train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.validation import Problems

RECIPES = ("scenes", "photos")


def pretrain(
    recipe: str,
    output: Path,
    share: float,
    seed: int,
    files: Mapping[str, Path | None],
    words: Sequence[Path],
    minutes: float,
) -> dict[str, Any]:
    """Pre-train by ``recipe`` and return its report.

    Args:
        recipe: ``scenes``, see :mod:`.run`, or ``photos``, see :mod:`.photos.run`.
        output: for checkpoints and the model.
        share: of the usual pairs of ``scenes``.
        seed: of either.
        files: ``photos``, ``heldout``, ``images`` of ``photos``.
        words, minutes: of ``photos``.

    Raises:
        InputError: an unknown recipe, files missing, or files given to a recipe that reads none.
    """
    problems = Problems("pretrain")
    problems.check(recipe in RECIPES, f"--recipe: {recipe!r}; valid: {', '.join(RECIPES)}")
    given = [name for name, path in {**files, "words": words[0] if words else None}.items() if path is not None]
    if recipe == "scenes" and given:
        problems.add(f"--{', --'.join(given)}: the scenes are generated; add --recipe photos to train on photographs")
    if recipe == "photos":
        problems.check(share == 1.0, "--share: of scenes; --minutes says how long to train on photos")
        for name in (name for name, path in files.items() if path is None):
            problems.add(f"--{name}: missing; photos need --photos FILE --heldout FILE --images DIR")
    problems.raise_any()
    if recipe == "scenes":
        from .scenes.pretrain_scenes import PretrainConfig
        from .scenes.pretrain_scenes import pretrain as pretrain_scenes

        return pretrain_scenes(PretrainConfig(share=share, seed=seed), output)
    from .photos.photo_config import PhotoConfig
    from .photos.pretrain_photos import pretrain_photos

    photos, heldout, images = (Path(str(files[name])) for name in ("photos", "heldout", "images"))
    return pretrain_photos(PhotoConfig(minutes=minutes, seed=seed), output, photos, images, heldout, tuple(words))
