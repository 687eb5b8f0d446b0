"""Numbers as text and tables in Markdown, for reports, cards, benchmarks, comparisons and the command line."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath, PureWindowsPath


class Markdown(str):
    """Text that is Markdown already. All other text is escaped before it goes into a table or a template."""

    __slots__ = ()


def markdown(text: object) -> Markdown:
    """``text`` on one line that is neither Markdown nor HTML; :class:`Markdown` stays as it is."""
    if isinstance(text, Markdown):
        return text
    line = html.escape(" ".join(str(text).split()), quote=False)
    return Markdown(re.sub(r"([\\`*_\[\]|~#])", r"\\\1", line))


def markdown_code(text: str) -> Markdown:
    """``text`` on one line as code, fit for a table."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return Markdown(f"{fence}{space}{line}{space}{fence}".replace("|", r"\|"))


def markdown_table(
    header: Sequence[object], rows: Iterable[Sequence[object]], numbers_from: int | None = None
) -> Markdown:
    """A table whose cells are escaped; columns from ``numbers_from`` on (counted from 0) are aligned to the right."""
    left = len(header) if numbers_from is None else numbers_from
    rule = [Markdown("---" if column < left else "---:") for column in range(len(header))]
    return Markdown("\n".join(f"| {' | '.join(map(markdown, cells))} |" for cells in (header, rule, *rows)))


def duration(seconds: float) -> str:
    """``7.5 s``, ``42 s``, ``1 min 01 s``, ``12 min``, ``1 h 40 min``: seconds are left out from ten minutes on."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 10:
        return f"{minutes} min {rest:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def count(value: float) -> str:
    """``2.56 M``: three significant digits and a unit."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= 0.9995 * unit:
            return f"{value / unit:#.3g}".rstrip(".") + name
    return f"{value:,.0f}"


def counted(number: int, noun: str) -> str:
    """``1 image``, ``1,200 images``, of a ``noun`` in the plural."""
    one = {"hypotheses": "hypothesis", "processes": "process"}.get(noun, noun.removesuffix("s"))
    return f"{number:,} {one if number == 1 else noun}"


def milliseconds(seconds: float, decimals: int | None = None) -> str:
    """``8.00 ms``: three significant digits, or ``decimals`` decimals."""
    value = seconds * 1e3
    if decimals is not None:
        return f"{value:,.{decimals}f} ms"
    return f"{value:,.0f} ms" if value >= 999.5 else f"{value:#.3g}".rstrip(".") + " ms"


def change(value: float, digits: int = 1) -> str:
    """A relative change with its sign, which is a real minus; no sign for what rounds to zero."""
    text = f"{value:+.{digits}%}".replace("-", "−")
    return text if text.strip("+−0.%") else text[1:]


def sentence(text: str) -> str:
    """``text`` with a large first letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def file_name(text: str) -> str:
    """The last part of an absolute path, which tells nothing of the machine; anything else as it is."""
    kinds = (PurePosixPath(text), PureWindowsPath(text))
    return next((kind.name or text for kind in kinds if kind.is_absolute()), text)
