"""Pre-train one of the embedded models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.validation import Problems

if TYPE_CHECKING:
    from .chats.pretrain_chats import ChatsReport
    from .photos.pretrain_photos import PhotosReport
    from .scenes.pretrain_scenes import ScenesReport
    from .smol_photos.pretrain_smol_photos import SmolReport

RECIPES = ("scenes", "photos", "chats", "smol-photos")
_OF_PHOTOS = ("photos", "smol-photos")


def pretrain(
    recipe: str,
    output: Path,
    share: float,
    seed: int,
    files: Mapping[str, Path | None],
    words: Sequence[Path],
    minutes: float,
) -> ScenesReport | PhotosReport | ChatsReport | SmolReport:
    """Pre-train by ``recipe`` and return the content of its ``pretraining.json``.

    Args:
        recipe: ``scenes``, see :mod:`.scenes.pretrain_scenes`; ``photos``, see :mod:`.photos.pretrain_photos`;
            ``chats``, see :mod:`.chats.pretrain_chats`; or ``smol-photos``, see
            :mod:`.smol_photos.pretrain_smol_photos`.
        output: directory for checkpoints and the model.
        share: ``scenes``: fraction of the usual number of pairs.
        seed: of all random numbers.
        files: ``photos`` and ``smol-photos``: the paths ``photos``, ``heldout`` and ``images``.
        words: ``photos``: further files whose words the vocabulary keeps.
        minutes: training time, of all but ``scenes``.

    Raises:
        InputError: an unknown recipe, files missing, or files given to a recipe that reads none.
    """
    problems = Problems("pretrain")
    problems.check(recipe in RECIPES, f"--recipe: {recipe!r}; valid: {', '.join(RECIPES)}")
    given = [name for name, path in {**files, "words": words[0] if words else None}.items() if path is not None]
    if recipe not in _OF_PHOTOS and given:
        problems.add(f"--{', --'.join(given)}: the scenes are generated; add --recipe photos to train on photographs")
    if recipe != "scenes":
        problems.check(share == 1.0, f"--share: of scenes; --minutes says how long to train on {recipe}")
    problems.check(recipe != "smol-photos" or not words, "--words: smol-photos has SmolLM2's vocabulary; leave it off")
    if recipe in _OF_PHOTOS:
        for name in (name for name, path in files.items() if path is None):
            problems.add(f"--{name}: missing; photos need --photos FILE --heldout FILE --images DIR")
    problems.raise_any()
    if recipe == "scenes":
        from .scenes.pretrain_scenes import PretrainConfig
        from .scenes.pretrain_scenes import pretrain as pretrain_scenes

        return pretrain_scenes(PretrainConfig(share=share, seed=seed), output)
    if recipe == "chats":
        from .chats.chat_config import ChatConfig
        from .chats.pretrain_chats import pretrain_chats

        return pretrain_chats(ChatConfig(minutes=minutes, seed=seed), output)
    photos, heldout, images = (Path(str(files[name])) for name in ("photos", "heldout", "images"))
    if recipe == "smol-photos":
        from .smol_photos.pretrain_smol_photos import pretrain_smol_photos
        from .smol_photos.smol_config import SmolConfig

        return pretrain_smol_photos(SmolConfig(minutes=minutes, seed=seed), output, photos, images, heldout)
    from .photos.photo_config import PhotoConfig
    from .photos.pretrain_photos import pretrain_photos

    return pretrain_photos(PhotoConfig(minutes=minutes, seed=seed), output, photos, images, heldout, tuple(words))
