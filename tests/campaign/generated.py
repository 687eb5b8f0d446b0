"""Strategies for what people's files and command lines hold when something went wrong."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

#: JSON and almost-JSON: what stands where a value should be. YAML reads them too, mostly with the same meaning.
ODD_VALUES = (
    "null", "true", "false", "0", "-1", "1", "2.0", "1e0", "-0.0", "1e400", "NaN", "-Infinity", "9" * 5000,
    "1" + "0" * 30, '""', '" "', '"\\ud800"', '"\\u0000"', '"\\ufeff"', '"."', '".."', '"~"', "[]", "{}", "[[]]",
    "[null]", '["a", 1, null]', '{"a": 1}', '{"a": {"a": []}}', "[" * 30 + "]" * 30, "[" * 50_000, '{"a":' * 20_000,
    '"' + "x" * 100_000 + '"', '"unterminated', "nul", "'", "{,}", '{"a": 1, "a": 2}', "\t", "",
)  # fmt: skip

values = st.one_of(
    st.sampled_from(ODD_VALUES),
    st.text(max_size=20).map(json.dumps),
    st.integers().map(str),
    st.floats().map(json.dumps),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ).map(json.dumps),
)

#: Beginnings of files that are something else than their name says.
_OTHER_FILES = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", b"%!PS\n", b"<html>404</html>",
    b"\x80\x02}q\x00.", b"PK\x03\x04", b"\xff" * 100,
)  # fmt: skip
_HOLE = "hole-in-the-document"


def paths(document: Any) -> list[tuple[str | int, ...]]:
    """The place of every value in a document of dictionaries and lists, that of the whole included."""
    found: list[tuple[str | int, ...]] = [()]
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in entries:
        found += [(name, *rest) for rest in (paths(value) if isinstance(value, dict | list) else [()])]
    return found


def with_value(document: Any, path: tuple[str | int, ...], text: str) -> str:
    """The document as JSON, with ``text`` as it is where the value at ``path`` was."""
    copy = json.loads(json.dumps(document))
    if not path:
        return text
    place = copy
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = _HOLE
    return json.dumps(copy).replace(f'"{_HOLE}"', text)


@st.composite
def changed_document(draw: st.DrawFn, document: Any) -> str:
    """A document with one value changed, left out, or given under another name."""
    copy = json.loads(json.dumps(document))
    path = draw(st.sampled_from(paths(copy)[1:]))
    how = draw(st.sampled_from(("value", "value", "value", "gone", "renamed", "twice", "cut")))
    if how == "value":
        return with_value(copy, path, draw(values))
    place = copy
    for name in path[:-1]:
        place = place[name]
    if how == "twice" and isinstance(place, dict):
        key = json.dumps(path[-1])
        place[_HOLE] = None
        return json.dumps(copy).replace(f'"{_HOLE}": null', f"{key}: {draw(values)}")
    if how == "cut":
        text = json.dumps(copy)
        return text[: draw(st.integers(0, len(text) - 1))]
    value = place.pop(path[-1])
    if how == "renamed" and isinstance(place, dict):
        place[draw(st.text(max_size=12))] = value
    return json.dumps(copy)


@dataclass(frozen=True)
class Splice:
    """A change of a file: ``removed`` bytes from ``start`` on give way to ``inserted``."""

    start: int
    removed: int
    inserted: bytes = b""

    def of(self, content: bytes) -> bytes:
        """The changed content."""
        return content[: self.start] + self.inserted + content[self.start + self.removed :]


def whole(content: bytes) -> Splice:
    """A file with other content, or a new one."""
    return Splice(0, sys.maxsize, content)


@st.composite
def damage(draw: st.DrawFn, content: bytes) -> Splice:
    """What a bad disk, an interrupted download or the wrong program do to a file; never nothing."""
    if not content:
        return whole(draw(st.binary(min_size=1, max_size=20)))
    how = draw(st.sampled_from(("cut", "flip", "flip", "flip", "insert", "zeros", "other", "empty")))
    place = draw(st.integers(0, len(content) - 1))
    if how == "cut":
        return Splice(place, len(content))
    if how == "flip":
        return Splice(place, 1, bytes([content[place] ^ (1 << draw(st.integers(0, 7)))]))
    if how == "insert":
        return Splice(place, 0, draw(st.binary(min_size=1, max_size=20)))
    if how == "zeros":
        removed = len(content[place : place + draw(st.integers(1, 200))])
        unchanged = not any(content[place : place + removed])
        return Splice(place, removed, bytes(removed + unchanged))
    return whole(draw(st.sampled_from(_OTHER_FILES)) if how == "other" else b"")


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """``content`` after some damage."""
    return damage(content).map(lambda splice: splice.of(content))
