"""What a request asks, checked as a whole."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ..core.validated import Count, NonNegative, Number, Seed, Several, Text, Validated
from ..core.validation import Problems
from .limits import Limits

_ANSWERS, _STOPS = 100, 16


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

    def refuse_beyond(self, limits: Limits) -> None:
        """Refuse what is more than a service takes.

        Raises:
            InputError: all that is too much.
        """
        problems = Problems("request")
        for name, given, most in (
            ("image", self.images, limits.pictures),
            ("text", self.texts, limits.texts),
            ("options", self.options, limits.texts),
            ("stop", self.stop, _STOPS),
        ):
            problems.check(len(given) <= most, f"{name}: {len(given)} given, at most {most} are taken")
        letters = max(map(len, (*self.texts, *self.options, *self.stop)), default=0)
        problems.check(letters <= limits.letters, f"text: {letters:,} letters, at most {limits.letters:,} are taken")
        tokens = self.max_new_tokens or 1
        problems.check(tokens <= limits.tokens, f"max_new_tokens: {tokens:,}, at most {limits.tokens:,} are written")
        problems.raise_any()
