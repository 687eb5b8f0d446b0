"""Files of conversations: JSON lines or one JSON list, and the images beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ...core.shown import shown
from ...core.validation import nearest
from ..record import Record
from ..records import Records
from .collecting import Row, RowChecks, collect, image_folder
from .conversations.conversation_record import conversation_record
from .conversations.names import DIALECT_NAMES, DialectName
from .json_lines import read_lines
from .jsonl import MOST_BAD_ROWS
from .renaming import check_columns, renamed
from .row_to_record import GENERATION
from .values import name_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


def read_conversations(
    path: str | Path,
    dialect: DialectName,
    images: str | Path | None = None,
    require_answers: bool = True,
    columns: Mapping[str, str] | None = None,
    **checks: Unpack[RowChecks],
) -> Records:
    """The conversations of a file, row by row, never the whole file in memory. A bad row is left out and counted.

    Args:
        path: JSON lines, or one list as LLaVA publishes it.
        dialect: how its rows are written.
        images: the folder that paths are relative to; ``None``: that of the file.
        require_answers: whether a conversation that ends with a question is bad.
        columns: our field to the file's, and the tags of turns, e.g. ``{"messages": "dialog", "role_tag": "who"}``.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`; here ``most_bad`` is 0.2 by default, and every
            image file is opened once.

    Raises:
        InputError: no such dialect, file or folder, no usable row, or more than ``most_bad`` of them bad.
    """
    if dialect not in DIALECT_NAMES:
        raise InputError(f"dialect: {shown(dialect)}{nearest(str(dialect), DIALECT_NAMES)}")
    folder = Path(path).parent if images is None else image_folder(images)
    names = columns or {}
    check_columns(names, str(path), task=GENERATION)

    def picture(row: Row, name: str) -> Path:
        return folder / name_of(row, name)

    def make(row: Any) -> list[Record]:
        row = renamed(row, names)
        if not isinstance(row, dict):
            raise InputError("expected a row of named fields: a conversation, and its images")
        return [conversation_record(row, picture, dialect, require_answers)]

    checks.setdefault("most_bad", MOST_BAD_ROWS)
    checks.setdefault("check_images", True)
    return collect(str(path), read_lines(path), make, **checks)
