"""Faults inside single texts: leftovers of other formats, special tokens, damaged characters, leaked answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ..data.record import Record
from .answer_texts import answer_problems
from .said import Said, shortened

#: What formats and processors write where an image, a video or a sound stands.
_PLACEHOLDER = re.compile(
    r"</?(?:image|img|video|audio|im_patch|im_start|im_end|imagehere|image_placeholder|img_context|image_soft_token"
    r"|start_of_image|end_of_image|fake_token_around_image|global-img)(?:[_ -]?\d+)?/?>"
    r"|<\|(?:image|image_pad|image_\d+|vision_start|vision_end|video_pad)\|>|\[img\]",
    re.IGNORECASE,
)
#: Marks of turns that templates of well-known models write.
_MARKS = (
    "</s>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|begin_of_text|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "[INST]",
    "[/INST]", "<start_of_turn>", "<end_of_turn>", "<end_of_utterance>", "<bos>", "<eos>",
)  # fmt: skip
#: Any token between bars, as most models have them: ``<|im_end|>``, DeepSeek's with bars of full width.
_BARRED = r"<[|\uff5c](?!/?(?:image|vision|video)_?)[\w\u2581 /-]{1,40}[|\uff5c]>"
#: Characters that UTF-8 read as Latin-1 or Windows-1252 begins with and goes on with.
_FOREIGN = re.compile("[\u00c2-\u00f4][\u0080-\u00ff\u0152-\u2122]{1,3}")
#: The mark of a lost character, and control characters other than white space.
_LOST = re.compile("[\ufffd\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
#: Words from which on an answer does not stand in a question by chance.
_LONG_ANSWER = 5


class TextCheck:
    """Looks at the texts of records.

    Args:
        special: special tokens of the model's tokenizer, beside those that are well known.
    """

    def __init__(self, special: Iterable[str] = ()) -> None:
        tokens = {token for token in (*_MARKS, *special) if len(token) > 2 and not _PLACEHOLDER.fullmatch(token)}
        words = map(re.escape, sorted(tokens, key=lambda token: (-len(token), token)))
        self._special = re.compile("|".join((*words, _BARRED)))
        self._of_text = lru_cache(maxsize=2**14)(self._look)

    def problems(self, record: Record, said: Said) -> Iterator[tuple[str, str]]:
        """Kind and words of each problem."""
        for text in said.texts:
            yield from self._of_text(text)
        for answer in said.answers:
            yield from answer_problems(answer)
        yield from _options(record)
        if said.question and said.answers and (leak := leaked(said.question, said.answers[-1])):
            yield "leaked_answer", leak
        elif said.question and said.answers and _asks(said.answers[-1]) and "?" not in said.question:
            yield "swapped", f"{shortened(said.question)!r} is answered by {shortened(said.answers[-1])!r}"

    def _look(self, text: str) -> tuple[tuple[str, str], ...]:
        found = []
        if (place := _PLACEHOLDER.search(text)) is not None:
            found.append(("literal_placeholder", f"{place[0]} stands in {shortened(text)!r}"))
        if (token := self._special.search(text)) is not None:
            found.append(("special_token", f"{token[0]} stands in {shortened(text)!r}"))
        if not text.isascii() and (wrong := _damaged(text)):
            found.append(("damaged_text", f"{wrong!r} in {shortened(text)!r}"))
        elif (control := _LOST.search(text)) is not None:
            found.append(("damaged_text", f"the control character {control[0]!r} in {shortened(text)!r}"))
        return tuple(found)


def _asks(text: str) -> bool:
    return text.rstrip().endswith("?")


def _damaged(text: str) -> str:
    """What in a text was UTF-8 and was read as another encoding, or is no character; empty: nothing."""
    if (lost := _LOST.search(text)) is not None:
        return lost[0]
    for found in _FOREIGN.finditer(text):
        for encoding in ("cp1252", "latin-1"):
            for end in range(len(found[0]), 1, -1):
                try:
                    found[0][:end].encode(encoding).decode("utf-8")
                except UnicodeError:
                    continue
                return found[0][:end]
    return ""


def leaked(question: str, answer: str) -> str:
    """How the answer stands in the question; empty: it does not, or as it may: ``is it red or blue?``."""
    wanted, asked = " ".join(answer.split()).rstrip(".").casefold(), " ".join(question.split()).casefold()
    if not wanted or wanted not in asked:
        return ""
    if len(wanted.split()) >= _LONG_ANSWER or re.search(
        rf"(?:\banswer(?: is|:|=)|[?:.!=])\s*{re.escape(wanted)}\W*$", asked
    ):
        return f"the answer {shortened(answer)!r} stands in the question {shortened(question)!r}"
    return ""


def _options(record: Record) -> Iterator[tuple[str, str]]:
    if not record.options:
        return
    options = {option.strip().casefold() for option in record.options}
    answers = list(record.answers) or [turn.text for turn in record.turns[-1:] if turn.role == "assistant"]
    if answers and not any(answer.strip().casefold() in options for answer in answers):
        yield "answer_not_in_options", f"{answers[0]!r} is none of {', '.join(map(repr, record.options[:6]))}"
    if len(options) < len(record.options):
        yield "answer_not_in_options", f"an option is there twice: {', '.join(map(repr, record.options[:6]))}"
