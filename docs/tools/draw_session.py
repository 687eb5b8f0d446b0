"""Draw what was typed and printed in a terminal, as a picture: ``python docs/tools/draw_session.py TEXT PICTURE.svg``.

Lines of TEXT that begin with ``$ `` were typed. The picture loads nothing: its letters are of the reader's system.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

_LINE, _LETTER, _EDGE, _BAR = 19, 7.83, 18, 30
_STYLE = (
    "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace;fill:#d7dae0}"
    "text{white-space:pre}"
    ".typed{fill:#fff;font-weight:600}.sign{fill:#7fd1a8}"
)


def drawn(text: str, title: str) -> str:
    """The picture of a session, described by its first line for those who do not see it."""
    lines = text.rstrip("\n").split("\n")
    width = round(2 * _EDGE + _LETTER * max(map(len, lines)))
    height = _BAR + _EDGE + _LINE * len(lines)
    rows = []
    for number, line in enumerate(lines):
        place = f'x="{_EDGE}" y="{_BAR + _LINE * (number + 1)}"'
        sign, _, typed = line.partition("$ ")
        if typed and not sign:
            rows.append(
                f'<text {place}><tspan class="sign">$ </tspan><tspan class="typed">{escape(typed)}</tspan></text>'
            )
        else:
            rows.append(f"<text {place}>{escape(line)}</text>")
    dots = "".join(
        f'<circle cx="{_EDGE + 18 * number}" cy="16" r="5" fill="{colour}"/>'
        for number, colour in enumerate(("#e5695e", "#e2b54b", "#68b266"))
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">'
    back = f'<rect width="{width}" height="{height}" rx="8" fill="#1f2430"/>'
    return f"{head}<title>{escape(title)}</title><style>{_STYLE}</style>{back}{dots}{''.join(rows)}</svg>\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(
        drawn(source.read_text(encoding="utf-8"), f"A session in a terminal: {target.stem}"), encoding="utf-8"
    )
