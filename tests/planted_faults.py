"""Data with planted faults, in every format: which rows have which."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

#: Questions and answers of sound rows, in words that ``tiny_chat``'s tokenizer knows.
SOUND = (
    ("what color is it ?", "red"), ("what shape is it ?", "a circle"), ("is it a circle ?", "yes"),
    ("is it blue ?", "no"), ("what color is the circle ?", "green"), ("is there a shape ?", "yes"),
)  # fmt: skip
SOUND_ROWS = 14
#: Written as one byte, which is no UTF-8.
LATIN_1 = "é~"


@dataclass(frozen=True)
class Row:
    """A row before it is written.

    Attributes:
        images: names of its files.
        turns: roles and texts; ``<image>`` marks the place of an image.
        options: to choose the answer from.
        fault: the kind that is planted; empty: the row is sound.
        raw: what stands in the file instead of the row.
    """

    images: tuple[str, ...] = ()
    turns: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    fault: str = ""
    raw: bytes = b""

    @property
    def question(self) -> str:
        return next((text for role, text in self.turns if role == "user"), "")

    @property
    def answer(self) -> str | None:
        return self.turns[-1][1] if self.turns[-1][0] == "assistant" else None


def asked(question: str, answer: str | None, *images: str, fault: str = "") -> Row:
    """One question about some images."""
    marked = "<image>\n" * len(images) + question
    turns = (("user", marked),) if answer is None else (("user", marked), ("assistant", answer))
    return Row(images, turns, fault=fault)


@dataclass
class Planted:
    """Draws images and makes rows.

    Attributes:
        folder: of the images.
        rows: in their order.
    """

    folder: Path
    rows: list[Row] = field(default_factory=list)
    _drawn: int = 0

    def image(self, name: str = "", size: tuple[int, int] = (40, 30)) -> str:
        """A picture unlike all others."""
        self._drawn += 1
        name = name or f"{self._drawn}.png"
        pixels = np.random.default_rng(self._drawn).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(self.folder / name)
        return name

    def file(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return name

    def sound(self, count: int = SOUND_ROWS) -> Planted:
        """Rows without any fault."""
        self.rows += [asked(*SOUND[number % len(SOUND)], self.image()) for number in range(count)]
        return self

    def plant(self, *rows: Row) -> Planted:
        self.rows += rows
        return self

    def plant_images(self) -> Planted:
        """Images that are missing, damaged, or not what they should be."""
        jpeg = self.image("cut.jpg", (200, 200))
        content = (self.folder / jpeg).read_bytes()
        self.file(jpeg, content[: len(content) // 2])
        Image.new("RGB", (40, 30), (128, 128, 128)).save(self.folder / "grey.png")
        question, answer = SOUND[0]
        bad = {
            "gone.png": "missing_image",
            self.file("empty.png", b""): "unreadable_image",
            self.file("page.png", b"<html>404 not found</html>"): "unreadable_image",
            jpeg: "damaged_image",
            self.image("tiny.png", (3, 2)): "tiny_image",
            self.image("narrow.png", (900, 20)): "narrow_image",
            self.image("huge.png", (420, 300)): "too_many_pixels",
            "grey.png": "one_colour",
        }
        return self.plant(*(asked(question, answer, name, fault=kind) for name, kind in bad.items()))

    def plant_texts(self) -> Planted:
        """Faults that stand in the texts of single rows."""

        def bad(kind: str, question: str, answer: str) -> Row:
            return asked(question, answer, self.image(), fault=kind)

        return self.plant(
            bad("special_token", "what is it </s> ?", "red"),
            bad("special_token", "what is it <|im_end|> ?", "red"),
            bad("literal_placeholder", "what is in <image_1> ?", "red"),
            bad("literal_placeholder", "what is it ?", "<image> red"),
            bad("damaged_text", "what color is the cafÃ© ?", "red"),
            bad("damaged_text", "what color is the caf\ufffd ?", "red"),
            bad("leaked_answer", "what color is it ? answer: red", "red"),
            bad("leaked_answer", "is the circle there a red circle ?", "the circle there a red circle"),
            bad("unknown_token", "what is it ?", "red 🦆"),
            bad("long_answer", "what is it ?", "a red circle . " * 40),
            bad("truncated_answer", "what is it ?", "a green circle . " * 60),
            bad("lost_answer", "what is it ? " * 80, "red"),
            bad("empty_answer", "what is it ?", " "),
            replace(asked("what is it ?", None, self.image()), fault="no_answer"),
        )

    def plant_repeats(self) -> Planted:
        """Rows that repeat or contradict a sound one."""
        first, second = self.rows[0], self.rows[1]
        other = (second.turns[0], ("assistant", "no"))
        copied = self.file("copy.png", (self.folder / first.images[0]).read_bytes())
        return self.plant(
            replace(first, fault="duplicate"),
            replace(first, images=(copied,), fault="duplicate"),
            replace(second, turns=other, fault="contradiction"),
        )

    def plant_turns(self) -> Planted:
        """Faults that only conversations can have."""

        def turns(kind: str, *said: tuple[str, str], images: int = 1) -> Row:
            return Row(tuple(self.image() for _ in range(images)), said, fault=kind)

        question, answer = ("user", "<image>\nwhat is it ?"), ("assistant", "red")
        return self.plant(
            turns("placeholder_mismatch", ("user", "<image><image>\nwhat is it ?"), answer),
            turns("placeholder_mismatch", question, answer, images=2),
            turns("placeholder_mismatch", question, answer, images=0),
            turns("turn_order", question, ("user", "is it blue ?"), answer),
            turns("turn_order", question, answer, ("system", "be short ."), ("user", "is it blue ?"), answer),
            turns("unknown_role", question, ("robot", "red")),
            turns("unknown_role", question, ("observation", "red"), answer),
            turns("no_answer", question, answer, ("user", "is it blue ?")),
            turns("empty_answer", question, ("assistant", ""), ("user", "is it blue ?"), answer),
            turns("empty_text", question, answer, ("user", " "), ("assistant", "red")),
        )

    def plant_options(self) -> Planted:
        """Answers beside their options."""
        row = asked("what color is it ?", "red", self.image())
        wrong = replace(asked("what color is it ?", "green", self.image()), fault="answer_not_in_options")
        return self.plant(replace(row, options=("red", "blue")), replace(wrong, options=("red", "blue")))

    def plant_lines(self) -> Planted:
        """Lines of a file that are no rows."""
        return self.plant(
            Row(fault="bad_json", raw=b'{"image": "1.png", '),
            asked("what is it ?", f"caf{LATIN_1}", self.image(), fault="not_utf8"),
        )


#: A row as the format has it, before it is written as JSON.
Write = Callable[[Row], dict[str, Any]]


def as_messages(row: Row) -> dict[str, Any]:
    turns = [{"role": role, "content": _parts(text) if role == "user" else text} for role, text in row.turns]
    return {"messages": turns, "images": [*row.images]}


def _parts(text: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    before = text
    while before.startswith("<image>"):
        found.append({"type": "image"})
        before = before.removeprefix("<image>")
    return [*found, {"type": "text", "text": before.removeprefix("\n")}]


_LLAVA = {"user": "human", "assistant": "gpt"}


def as_llava(row: Row) -> dict[str, Any]:
    turns = [{"from": _LLAVA.get(role, role), "value": text} for role, text in row.turns]
    found: dict[str, Any] = {"conversations": turns}
    if row.images:
        found["image"] = row.images[0] if len(row.images) == 1 else [*row.images]
    return found


def as_sharegpt(row: Row) -> dict[str, Any]:
    return {"conversations": as_llava(row)["conversations"], "images": [*row.images]}


def as_swift(row: Row) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in row.turns], "images": [*row.images]}


def as_question(row: Row) -> dict[str, Any]:
    question = row.question.replace("<image>\n", "")
    found: dict[str, Any] = {"image": row.images[0], "question": question, "answer": row.answer}
    return {**found, "options": [*row.options]} if row.options else found


WRITERS: dict[str, Write] = {
    "messages": as_messages,
    "llava": as_llava,
    "sharegpt": as_sharegpt,
    "swift": as_swift,
    "jsonl": as_question,
}


def write_rows(path: Path, rows: list[Row], form: str, as_list: bool = False) -> None:
    """The file of ``rows``: JSON lines, or one list."""
    texts = [row.raw or json.dumps(WRITERS[form](row), ensure_ascii=False).encode() for row in rows]
    lines = [text.replace(LATIN_1.encode(), b"\xe9") for text in texts]
    path.write_bytes(b"[" + b",\n".join(lines) + b"]" if as_list else b"".join(line + b"\n" for line in lines))


def planted(rows: list[Row]) -> Iterator[tuple[int, str]]:
    """The numbers, from 1 on, and faults of rows that have one."""
    for number, row in enumerate(rows, start=1):
        if row.fault:
            yield number, row.fault
