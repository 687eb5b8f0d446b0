"""Records that a model cannot learn from: they are found before work starts, without preparing all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ...core.errors import InputError
from ...core.progress import track
from ...data.held_pictures import Held
from ...data.pictures import Picture, Stored
from ...data.record import Record
from ...data.turns import Turn
from .pictures import refuse_images
from .template import refuse_image_words

if TYPE_CHECKING:
    from .task import Generation

#: Sizes of images by which it is told whether their number of tokens depends on it.
_SIZES = ((64, 64), (1000, 300))


class Fitting:
    """Tells why a record does not fit a model.

    The chat template is asked once for every order of turns and images; the number of tokens is bounded by letters, and
    counted where the bound is above ``max_length``.

    Args:
        task: with the model's processor and the settings.
    """

    def __init__(self, task: Generation) -> None:
        self.task = task
        self._orders: dict[tuple[tuple[str, int], ...], int | str] = {}
        self._tokens = lru_cache(maxsize=4096)(self._tokens_of)
        self._alike = not task.processor.sees or len({self._tokens(size) for size in _SIZES}) == 1
        self._sizes = lru_cache(maxsize=2**17)(task.pictures.given_size)

    def problems(self, records: Sequence[Record], part: str) -> Iterator[tuple[int, str]]:
        """The numbers of records that do not fit, each with the reason."""
        for number, record in enumerate(track(records, f"looking at {part}")):
            try:
                self.check(record)
            except InputError as error:
                yield number, f"{record.place}: {error}" if record.place else f"record {number + 1}: {error}"

    def check(self, record: Record) -> None:
        """Refuse a record that does not fit. Images that cannot be read are no matter of this.

        Raises:
            InputError: says why.
        """
        if record.images and not self.task.processor.sees:
            refuse_images([record])
        turns = self.task.turns(record)
        refuse_image_words(turns, self.task.processor.image_words)
        order = tuple((turn.role, turn.images) for turn in turns)
        if order not in self._orders:
            self._orders[order] = self._around(turns)
        around = self._orders[order]
        if isinstance(around, str):
            raise InputError(around)
        letters = sum(len(turn.text.encode()) for turn in turns)
        if around + letters + sum(map(self._of_picture, record.images)) > self.task.inputs.max_length:
            blank = [Image.new("RGB", self._size(picture)) for picture in record.images]  # damaged ones do not matter
            self.task.inputs.training([self.task.template.conversation(turns)], [blank])

    def _around(self, turns: Sequence[Turn]) -> int | str:
        """Letters that the template writes around turns in this order; or why it does not."""
        try:
            found = self.task.template.conversation(turns)
        except InputError as error:
            return str(error)
        whole = found.text + (found.suffix or "")
        return len(whole.encode()) - sum(len(turn.text.encode()) for turn in turns) + 8

    def _of_picture(self, picture: Picture) -> int:
        return self._tokens(self._size(picture))

    def _size(self, picture: Picture) -> tuple[int, int]:
        if self._alike and self.task.asked.max_pixels is None:
            return _SIZES[0]
        known = isinstance(picture, Path | Stored | Held)  # others cannot be looked up by themselves
        return self._sizes(picture) if known else self.task.pictures.given_size(picture)

    def _tokens_of(self, size: tuple[int, int]) -> int:
        """Tokens of an image of a width and height."""
        asked = self.task.template.prompt((Turn("user", (None, "a")),))
        return int(self.task.inputs.prompts([asked], [[Image.new("RGB", size)]])["input_ids"].shape[1])
