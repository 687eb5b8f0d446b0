"""What a request asks, checked as a whole."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ..core.validated import Count, NonNegative, Number, Seed, Several, Text, Validated
from ..core.validation import Problems
from .limits import Limits

_ANSWERS, _STOPS = 100, 16
#: Fields of a request, and letters of their names: more are not looked at one by one.
_FIELDS, _NAME = 32, 64


class Ask(Validated):
    """One or several questions about the same pictures.

    Attributes:
        image: pictures: the bytes of a JPEG, PNG, GIF, WEBP, BMP or TIFF file in base64. Never a path or an address.
        text: a question, statement, hypothesis or caption, or a list of them; each is answered.
        top: how many answers to give to each; by default 5, or all options.
        options: of a model that writes: texts to choose from.
        temperature: of a model that writes: tokens are drawn by the softmax of logits / temperature.
        top_p: draw among the fewest most likely tokens whose probabilities have at least this sum.
        top_k: draw among this many most likely tokens.
        seed: of what is drawn.
        max_new_tokens: of an answer at most.
        stop: texts at which an answer ends.
    """

    image: Annotated[str | Several[str], Field(description="a picture in base64, or a list of them")] = ()
    text: Annotated[str | Several[str], Field(description="a text, or a list of them")] = ""
    top: Annotated[int, Field(ge=1, le=_ANSWERS)] | None = None
    options: Several[Text] = ()
    temperature: NonNegative | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    top_k: Count | None = None
    seed: Seed | None = None
    max_new_tokens: Count | None = None
    stop: Several[Text] = ()

    @property
    def images(self) -> tuple[str, ...]:
        """Pictures in base64."""
        return (self.image,) if isinstance(self.image, str) else self.image

    @property
    def texts(self) -> tuple[str, ...]:
        """Each is a question; there is at least one, perhaps an empty one."""
        return (self.text,) if isinstance(self.text, str) else self.text or ("",)

    @property
    def decoding(self) -> dict[str, Any]:
        """Fields of :class:`~skiptune.tasks.generation.decoding.Decoding` that are asked for."""
        names = ("temperature", "top_p", "top_k", "seed", "max_new_tokens")
        found = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {**found, "stop": self.stop} if self.stop else found

    @classmethod
    def of(cls, values: object, limits: Limits) -> Ask:
        """Make one from JSON, if it is no more than a service takes.

        What has far too many entries is refused before each of them is checked: that would take minutes.

        Raises:
            InputError: not valid, or too much.
        """
        if isinstance(values, dict):
            _refuse_many(values, limits)
        ask = cls.from_dict(values, "request")
        problems = Problems("request")
        letters = max(map(len, (*ask.texts, *ask.options, *ask.stop)), default=0)
        problems.check(letters <= limits.letters, f"text: {letters:,} letters, at most {limits.letters:,} are taken")
        tokens = ask.max_new_tokens or 1
        problems.check(tokens <= limits.tokens, f"max_new_tokens: {tokens:,}, at most {limits.tokens:,} are written")
        problems.raise_any()
        return ask


def _refuse_many(values: dict[str, object], limits: Limits) -> None:
    """Refuse more fields than there are, names that are none, and long lists.

    Raises:
        InputError: all that is too much.
    """
    problems = Problems("request")
    problems.check(len(values) <= _FIELDS, f"{len(values):,} fields; there are {len(Ask.model_fields)}, see /docs")
    longest = max(map(len, values), default=0)
    problems.check(longest <= _NAME, f"a field's name has {longest:,} letters; /docs tells those that there are")
    for name, most in (
        ("image", limits.pictures),
        ("text", limits.texts),
        ("options", limits.texts),
        ("stop", _STOPS),
    ):
        given = values.get(name)
        count = len(given) if isinstance(given, list) else 1
        problems.check(count <= most, f"{name}: {count:,} given, at most {most:,} are taken")
    problems.raise_any()
