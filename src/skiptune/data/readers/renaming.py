"""The names of a row's fields, and columns that have other names."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...core.errors import InputError
from ...core.validation import nearest
from .collecting import Row
from .conversations.tags import TAGS, with_usual_tags
from .row_answers import LETTERS

#: What a row may have; see :func:`skiptune.data.readers.row_to_record.row_record`.
FIELDS = (
    *("image", "image2", "question", "answer", "answers"),
    *("sentence", "label", "caption", "captions", "text", "labels", "value", "id", "group"),
)
#: What a row for generation may have beside these; see :mod:`.conversations.dialects`.
OF_CONVERSATIONS = (
    *("images", "options", "choices", "hint", "messages", "conversations", "conversation", "system"),
    *("query", "response", "history", "prompt", "completion", "instruction", "input", "output"),
    *("tools", "objects", "video", "videos", "audio", "audios", *LETTERS),
)


#: Fields by which a row is a conversation.
_TALKS = {"messages", "conversations", "conversation", "query", "prompt", "instruction"}


def check_columns(
    columns: Mapping[str, str], source: str, there: Collection[str] | None = None, task: str = ""
) -> None:
    """Refuse a mapping from our fields to columns that names other fields, or columns that are not there.

    Args:
        columns: our field to the column's name.
        source: the file, for the message.
        there: the columns of the file; ``None``: every row has its own.
        task: that is read for; fields of conversations are for generation, and for rows of no task that are some.

    Raises:
        InputError: names the field or the column, and the nearest that there is.
    """
    talks = task == "generation" or (not task and columns.keys() & _TALKS)
    known = (*FIELDS, *OF_CONVERSATIONS, *TAGS) if talks else FIELDS
    for name, column in columns.items():
        if name not in known:
            raise InputError(f"columns: {name!r} is no field{nearest(name, known)}")
        if there is not None and name not in TAGS and column not in there:
            raise InputError(f"columns: {source} has no column {column!r}{nearest(column, there)}")


def columns_of(columns: Mapping[str, str], source: str, there: Collection[str], task: str) -> dict[str, str]:
    """Our field to the dataset's column, for those that are there.

    Args:
        columns: our field to the column's name, only for columns with another name.
        source: what the dataset is called.
        there: its columns.
        task: that it is read for; empty: the fields tell.

    Raises:
        InputError: as :func:`check_columns`, or it has neither images nor what ``generation`` takes without any.
    """
    check_columns(columns, source, there, task)
    names = {name: columns.get(name, name) for name in (*FIELDS, *OF_CONVERSATIONS)}
    names = {name: column for name, column in names.items() if column in there}
    without = task == "generation" or (not task and _TALKS & set(names))
    if not without and not {"image", "images"} & set(names):
        raise InputError(f"{source}: no column image; its columns are {', '.join(there)}; give columns")
    return names


def renamed(row: object, columns: Mapping[str, str]) -> object:
    """The row by our names of fields; a value that no column was named for stays under its own name."""
    if not columns or not isinstance(row, dict):
        return row
    named = {name: column for name, column in columns.items() if name not in TAGS}
    found: Row = {name: value for name, value in row.items() if name not in named.values() or name in named}
    return with_usual_tags({**found, **{name: row.get(column) for name, column in named.items()}}, columns)
