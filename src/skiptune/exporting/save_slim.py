"""Write a slim model that was loaded before."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.files import telling_of
from ..core.output_folders import make_output_folder
from ..inserting.selection import chosen_tokens, skipped_blocks
from .export import export
from .manifest import CONFIG, is_slim, read_manifest


def save_slim(model: Any, folder: Path) -> None:
    """Write the slim directory of a model that :func:`skiptune.load` gave; other files in it stay.

    Raises:
        InputError: the directory holds another model.
        RunError: the disk is full.
    """
    if (folder / CONFIG).exists() and not is_slim(folder):
        raise InputError(f"{folder}: holds something else than a slim model; name another directory")
    make_output_folder(folder)
    known = model.manifest
    with telling_of(folder), tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        plan = replace(known.skipping, skipped=skipped_blocks(model), tokens=chosen_tokens(model))
        written = export(model, Path(temporary) / folder.name, plan, base=known.base, extra=known.extra)
        manifest = read_manifest(written)
        kept = {name: getattr(known, name) for name in ("task", "license") if getattr(known, name) is not None}
        # the processor is saved by itself, before or after, so its files are not known
        manifest.replace(**kept, files=None, sha256=None).write(written)
        for name in sorted(path.name for path in written.iterdir() if path.name != CONFIG):
            (written / name).replace(folder / name)
        (written / CONFIG).replace(folder / CONFIG)
