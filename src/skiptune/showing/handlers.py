"""What happens when something is asked on the page or by a client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..answering.asking import Question, ask, stream
from ..answering.picture_limits import PictureLimits
from ..core.errors import InputError, RunError
from ..core.validation import nearest
from .cards import Card, answered_card, answers_html, empty_card, notice_html
from .form import Form
from .questions import question
from .shown_model import ShownModel
from .times import Times
from .uploads import uploaded_picture

#: Answers of the page, and of a client at most.
_ANSWERS, _MOST_ANSWERS = 5, 100


@dataclass(frozen=True)
class Handlers:
    """Functions that the events of the page call. Of what visitors ask only times are kept.

    Attributes:
        models: by their names.
        limits: of pictures.
        times: of the questions on the page.
    """

    models: dict[str, ShownModel]
    limits: PictureLimits
    times: Times = field(default_factory=Times)

    def check_picture(self, picture: Any) -> str:
        """A notice about a picture that was just uploaded; empty: it is fine."""
        try:
            uploaded_picture(picture, self.limits)
        except InputError as error:
            return notice_html(sentence(error))
        return ""

    def answer(self, form: Form, picture: Any, text: Any, picture2: Any, options: Any) -> Iterator[str]:
        """The cards of a form, again and again until all models have answered."""
        cards = {model.name: empty_card(model) for model in form.models}
        try:
            asked = question(picture, text, picture2 if form.takes_two else None, options, self.limits)
        except InputError as error:
            yield answers_html([replace(card, error=sentence(error)) for card in cards.values()])
            return
        for model in form.models:
            for card in _cards(model, asked, form.writes and not asked.options, self.times):
                cards[model.name] = card
                yield answers_html(list(cards.values()))

    def ask(self, model: Any, picture: Any, text: Any, picture2: Any, options: Any, top: Any) -> dict[str, Any]:
        """The answers of one model, for a client.

        Raises:
            InputError: no such model, or as :func:`skiptune.answering.asking.ask`.
        """
        if not isinstance(model, str) or model not in self.models:
            raise InputError(f"model: {model!r}{nearest(str(model), self.models)}")
        if isinstance(top, bool) or not isinstance(top, int | float) or not 1 <= top <= _MOST_ANSWERS:
            raise InputError(f"top: {top!r}; expected a number from 1 to {_MOST_ANSWERS}")
        asked = question(picture, text, picture2, options, self.limits)
        found = ask(self.models[model].pipeline, asked, int(top))
        return {
            "model": model,
            "answers": [answer.to_dict() for answer in found.answers],
            "seconds": round(found.seconds, 6),
        }


def _cards(model: ShownModel, asked: Question, writing: bool, times: Times) -> Iterator[Card]:
    """The card of one model; of one that writes, after every piece."""
    try:
        if writing:
            yield from _written(model, asked, times)
        else:
            found = ask(model.pipeline, asked, _ANSWERS)
            yield answered_card(model, found, times.told(model.name, found.seconds))
    except (InputError, RunError) as error:
        yield replace(empty_card(model), error=sentence(error))


def _written(model: ShownModel, asked: Question, times: Times) -> Iterator[Card]:
    start, text = time.perf_counter(), ""
    pieces = stream(model.pipeline, asked)
    for piece in pieces:
        text += piece
        yield replace(empty_card(model), written=text, waiting=True)
    cut = " (cut: more tokens are not allowed)" if pieces.cut else ""
    told = times.told(model.name, time.perf_counter() - start)
    yield replace(empty_card(model), written=text or "(nothing)", time=f"{told}{cut}")


def sentence(error: Exception) -> str:
    """The message for a visitor, who knows no files' names."""
    text = str(error).removeprefix("image in memory: ").removeprefix("image: ")
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}"
