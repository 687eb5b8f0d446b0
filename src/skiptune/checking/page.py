"""The report of the data doctor as one HTML page that loads nothing."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from ..core.errors import InputError
from ..core.templates import render
from ..data.pictures import Picture, decode
from .printing import part_rows, verdict
from .report import DataReport
from .shown_rows import Segment

_SIDE = 240


@dataclass(frozen=True)
class Card:
    """A row with thumbnails of its images, as ``data:`` addresses; ``None`` for one that cannot be read."""

    place: str
    thumbnails: tuple[str | None, ...]
    segments: tuple[Segment, ...]


def page(report: DataReport) -> str:
    """The page."""
    cards = [Card(row.place, tuple(map(_thumbnail, row.pictures)), row.segments) for row in report.rows]
    table = part_rows(report)
    text = render(__package__, "data.html.j2", report=report, cards=cards, table=table, verdict=verdict(report))
    return text.encode("utf-8", "replace").decode("utf-8")


def _thumbnail(picture: Picture) -> str | None:
    try:
        small = decode(picture)
    except InputError:
        return None
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
