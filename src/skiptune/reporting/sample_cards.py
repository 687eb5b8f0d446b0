"""Sample questions for the report card, with small images and marked answers."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InputError
from ..core.formatting import file_name
from ..data.pictures import decode
from .result_sections import Sample

_THUMBNAIL = 240  # pixels a side at most


@dataclass(frozen=True)
class SampleCard:
    """A record as pages show it.

    Attributes:
        image: name of the file.
        thumbnail: the image as a ``data:`` address; ``None`` if it cannot be read.
        accepted: all accepted answers; empty if none is known.
        kind, symbol, verdict: of the given answer: a class of the page's style, a sign, and words.
    """

    image: str
    thumbnail: str | None
    question: str
    given: str
    accepted: str
    kind: str
    symbol: str
    verdict: str


def sample_cards(samples: Iterable[Sample]) -> list[SampleCard]:
    """A card for every sample."""
    return [
        SampleCard(
            file_name(sample.image),
            _thumbnail(sample.image),
            sample.question,
            sample.given,
            ", ".join(sample.accepted),
            *_verdict(sample),
        )
        for sample in samples
    ]


def _verdict(sample: Sample) -> tuple[str, str, str]:
    if not sample.accepted:
        return "unknown", "?", "nothing to compare with"
    if sample.score <= 0:
        return "wrong", "✗", "wrong"
    return ("right", "✓", "right") if sample.score >= 1 else ("partly", "◐", f"scores {sample.score:.2g}")


def _thumbnail(path: str) -> str | None:
    try:
        image = decode(Path(path))
    except InputError:  # moved, deleted or damaged since
        return None
    buffer = io.BytesIO()
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    image.save(buffer, "JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
