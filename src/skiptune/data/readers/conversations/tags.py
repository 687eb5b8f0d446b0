"""Turns whose fields and roles have names of their own, as LLaMA-Factory's ``tags`` tell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The names that ``columns`` may give: of the role and the content of a turn, and of who says it.
TAGS = ("role_tag", "content_tag", "user_tag", "assistant_tag", "system_tag")
_LISTS = ("messages", "conversations", "conversation", "prompt", "completion")


def with_usual_tags(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """The row, its turns with ``role`` and ``content``, and roles by their usual names."""
    tags = {name: columns[name] for name in TAGS if name in columns}
    if not tags:
        return dict(row)
    return {name: _turns(value, tags) if name in _LISTS else value for name, value in row.items()}


def _turns(value: Any, tags: Mapping[str, str]) -> Any:
    if not isinstance(value, list | tuple):
        return value
    return [_turn(entry, tags) if isinstance(entry, Mapping) else entry for entry in value]


def _turn(entry: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    found = dict(entry)
    for usual, name in (("role", tags.get("role_tag")), ("content", tags.get("content_tag"))):
        if name in found:
            found[usual] = found.pop(name)
    roles = {tags[f"{role}_tag"]: role for role in ("user", "assistant", "system") if f"{role}_tag" in tags}
    key = next((key for key in ("role", "from") if isinstance(found.get(key), str)), None)
    return found if key is None else {**found, key: roles.get(found[key], found[key])}
