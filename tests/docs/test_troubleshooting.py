"""Every message of an error is explained in ``docs/troubleshooting.md``, and no explained message is gone.

A message stands on the page as a list entry in code, ``…`` for what is filled in at run time. One entry may cover
several messages: ``…`` matches any text.
"""

from __future__ import annotations

import re
from pathlib import Path

from messages import messages

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
#: Messages of a model's, a file's or a block's problem, put behind its name; what they say is listed by itself.
WRAPPED = ("…: …", "…")


def entries() -> dict[str, re.Pattern[str]]:
    """The messages that the page explains, as patterns."""
    found = re.findall(r"^- `(.+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {entry: re.compile(".*".join(map(re.escape, entry.split("…"))), re.DOTALL) for entry in found}


def plain(template: str) -> str:
    """Without code marks, which would end the entry, and with one ``…`` for neighbours."""
    return re.sub("…+", "…", template.replace("`", ""))


def test_messages_are_found() -> None:
    found = messages()
    assert len(found) > 250
    assert "…: no such model or directory…" in found  # an f-string
    assert "--images: the folder of the images is missing" in found  # a plain one


def test_every_message_is_explained() -> None:
    patterns = [pattern for entry, pattern in entries().items() if entry not in WRAPPED]
    missing = [
        f"{path}: {text}"
        for text, path in messages().items()
        if plain(text) not in WRAPPED and not any(pattern.fullmatch(plain(text)) for pattern in patterns)
    ]
    assert not missing, "explain these in docs/troubleshooting.md:\n" + "\n".join(missing)


def test_every_explained_message_exists() -> None:
    known = [plain(text) for text in messages()]
    gone = [entry for entry, pattern in entries().items() if not any(pattern.fullmatch(text) for text in known)]
    assert not gone, "no message is like these any more:\n" + "\n".join(gone)


def test_no_entry_covers_everything() -> None:
    assert [entry for entry in entries() if sum(map(str.isalpha, entry)) < 4] in ([], ["…: …"])


def test_every_list_is_followed_by_an_explanation() -> None:
    blocks = PAGE.read_text(encoding="utf-8").split("\n\n")
    for block, following in zip(blocks, [*blocks[1:], ""], strict=True):
        if block.startswith("- `") and block.splitlines()[-1].endswith("`"):
            assert following[:1] not in ("", "-", "#"), block
