"""Rows that hold conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..data.readers.conversations.beside import images_beside, plain_image
from ..data.readers.conversations.dialects import DIALECTS, dialect_of
from ..data.readers.conversations.names import DialectName
from .image_folders import image_folder_of
from .layout import Layout, as_fields

#: Fields without which a row of ms-swift is a question with its answer, which other tasks learn too.
_ONLY_CONVERSATIONS = ("history", "images", "system", "instruction")
_TITLES = {
    "messages": "conversations as messages",
    "llava": "conversations as LLaVA publishes them",
    "sharegpt": "conversations in ShareGPT's form",
    "swift": "conversations in ms-swift's form",
}


def dialect_in(rows: Sequence[Mapping[str, Any]]) -> DialectName | None:
    """The dialect of most rows; ``None``: they are no conversations."""
    found = Counter(name for row in rows if (name := _dialect(row)) is not None)
    return found.most_common(1)[0][0] if 2 * found.total() > len(rows) else None


def _dialect(row: Mapping[str, Any]) -> DialectName | None:
    found = dialect_of(row)
    plain = found == "swift" and not any(row.get(name) is not None for name in _ONLY_CONVERSATIONS)
    return None if plain else found


def conversation_layout(
    folder: Path,
    dialect: DialectName,
    parts: Mapping[str, Path],
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
) -> Layout:
    """How files of conversations are read.

    Args:
        folder: that their images are in or below.
        dialect: of the rows.
        parts: files by part.
        rows: the first of the training file, by our names of fields.
        columns: that the user named.

    Raises:
        InputError: the images that rows name are not there.
    """
    names = named_images(rows, dialect)
    data: dict[str, object] = {"name": dialect, **as_fields(parts)}
    if names:
        data["images"] = str(image_folder_of(names, folder))
    return Layout(_TITLES[dialect], {**data, **({"columns": dict(columns)} if columns else {})}, "generation")


def named_images(rows: Sequence[Mapping[str, Any]], dialect: DialectName | None = None) -> list[str]:
    """The paths that rows name, beside their conversations and in them."""
    found: list[Any] = []
    for row in rows:
        try:
            found += [plain_image(value, name) for name, value in images_beside(row)]
            turns = DIALECTS[dialect].read(row) if dialect else []
            found += [plain_image(place.image, "") for turn in turns for place in turn.places]
        except InputError:
            continue
    return [name for name in found if isinstance(name, str) and name.strip()]
