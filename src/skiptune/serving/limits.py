"""How much a service takes at a time, and of one request."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..core.validated import Count, Number, Validated

_MEBIBYTE = 2**20


class Limits(Validated):
    """What a service takes. All of it is for one replica.

    Attributes:
        queue: requests at a time, those that are still read included; further ones are told that it is busy.
        batch: questions that a model gets at a time, at most.
        batch_wait: milliseconds to wait for as many questions as came last time; 0: whatever is there is answered.
        seconds: from the first byte of a request to its answer.
        mebibytes: of the body of a request.
        megapixels: of a picture. At most ``queue`` pictures times ``pictures`` are in memory at a time.
        pictures: of a request.
        texts: of a request; as many options to choose from.
        letters: of a text.
        tokens: of an answer that a model writes, where a request asks for a number.
    """

    queue: Count = 64
    batch: Count = 32
    batch_wait: Annotated[Number, Field(ge=0, le=1000)] = 5
    seconds: Annotated[Number, Field(gt=0, le=3600)] = 30
    mebibytes: Annotated[Number, Field(gt=0, le=1024)] = 16
    megapixels: Annotated[Number, Field(gt=0, le=67)] = 16
    pictures: Count = 8
    texts: Count = 32
    letters: Count = 10_000
    tokens: Count = 512

    @property
    def body_bytes(self) -> int:
        """Of the body of a request."""
        return int(self.mebibytes * _MEBIBYTE)
