"""Draw the idea in one picture: ``docs/pictures/idea.svg``.

Run it again after a change: ``python docs/tools/draw_idea.py``. Plain SVG with the reader's own fonts, on a white
ground, so that it looks the same on a light and on a dark page.
"""

from __future__ import annotations

from pathlib import Path

TARGET = Path(__file__).parents[1] / "pictures" / "idea.svg"
WIDTH, HEIGHT = 900, 400
BLOCKS, LEFT, STEP, SIZE = 12, 320, 44, 34
SKIPPED = {1, 4, 5, 9}
#: Sets of blocks that the search compares, and the held-out loss of each as a length.
CANDIDATES = (({2, 3, 7, 10}, 58), (SKIPPED, 26), ({0, 6, 8, 11}, 44))
INK, SOFT, BLUE, PALE, ORANGE, GREEN = "#1f2937", "#5b6472", "#0b7285", "#d5ebee", "#d9480f", "#2b8a3e"


def text(x: float, y: float, content: str, size: int = 13, colour: str = SOFT, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}"{weight}>{content}</text>'


def box(x: float, y: float, width: float, height: float, fill: str, line: str, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    shape = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4"'
    return f'<rect {shape} fill="{fill}" stroke="{line}" stroke-width="1.5"{dash}/>'


def title(y: float, number: str, name: str, *lines: str) -> list[str]:
    circle = f'<circle cx="30" cy="{y - 5:g}" r="13" fill="{BLUE}"/>'
    label = f'<text x="30" y="{y:g}" font-size="14" fill="#fff" font-weight="600" text-anchor="middle">{number}</text>'
    return [circle, label, text(54, y, name, 16, INK, True)] + [
        text(54, y + 20 + 17 * row, line) for row, line in enumerate(lines)
    ]


def adapter(x: float, y: float, height: float = 8, width: float = SIZE) -> str:
    return box(x, y, width, height, ORANGE, ORANGE)


def chain(y: float, length: float) -> str:
    """The residual stream through a row of blocks."""
    return (
        f'<path d="M{LEFT - 14} {y:g}h{length + 22:g}m-7 -4l7 4l-7 4" fill="none" stroke="{SOFT}" stroke-width="1.5"/>'
    )


def inserted(top: float) -> list[str]:
    """Frozen blocks, an adapter in each."""
    parts = [chain(top + SIZE / 2, BLOCKS * STEP)]
    for block in range(BLOCKS):
        x = LEFT + block * STEP
        parts += [box(x, top, SIZE, SIZE, PALE, BLUE), adapter(x + 6, top + SIZE - 11, 6, SIZE - 12)]
    return parts


def searched(top: float) -> list[str]:
    """Three subnetworks, the loss of each, and the one that is chosen."""
    parts = []
    for row, (skipped, loss) in enumerate(CANDIDATES):
        y, chosen = top + row * 34, skipped == SKIPPED
        parts.append(chain(y + 10, BLOCKS * 32))
        for block in range(BLOCKS):
            x, gone = LEFT + block * 32, block in skipped
            parts.append(box(x, y, 24, 20, "#fff" if gone else PALE, ORANGE if gone else BLUE, gone))
        parts.append(box(LEFT + 412, y + 3, loss, 14, GREEN if chosen else "#c3c9d1", GREEN if chosen else "#c3c9d1"))
        if chosen:
            parts.append(text(LEFT + 412 + loss + 10, y + 15, "the plan", 13, GREEN, True))
    return parts


def slim(top: float) -> list[str]:
    """Kept blocks, and thin adapters where blocks were: the row is shorter, as the forward pass is."""
    x, parts = float(LEFT), []
    for block in range(BLOCKS):
        width = 10 if block in SKIPPED else SIZE
        if block in SKIPPED:
            parts.append(adapter(x, top + 3, SIZE - 6, width))
        else:
            parts.append(box(x, top, width, SIZE, PALE, BLUE))
        x += width + STEP - SIZE
    end = x - LEFT
    saved = BLOCKS * STEP - end
    line = f'd="M{x + 14:g} {top + SIZE / 2:g}h{saved - 18:g}" stroke="{GREEN}" stroke-width="2"'
    ruler = f'<path {line} stroke-dasharray="2 4"/>'
    return [chain(top + SIZE / 2, end), *parts, ruler, text(x + 17, top + 5, "time saved", 13, GREEN, True)]


def legend(y: float) -> list[str]:
    return [
        box(LEFT, y, 16, 16, PALE, BLUE),
        text(LEFT + 24, y + 13, "block, frozen"),
        box(LEFT + 130, y, 16, 16, "#fff", ORANGE, True),
        text(LEFT + 154, y + 13, "block, skipped"),
        adapter(LEFT + 268, y + 4, 8, 16),
        text(LEFT + 292, y + 13, "adapter, trained"),
        box(LEFT + 412, y + 1, 16, 14, "#c3c9d1", "#c3c9d1"),
        text(LEFT + 436, y + 13, "held-out loss"),
    ]


def picture() -> str:
    parts = [
        *title(46, "1", "Insert", "Freeze the pre-trained model,", "put a small adapter in every block."),
        *inserted(32),
        *title(
            160,
            "2",
            "Search and train",
            "Train the adapters while blocks are",
            "skipped in turn; compare some sets",
            "on held-out examples.",
        ),
        *searched(126),
        *title(276, "3", "Export", "Skipped blocks are gone.", "A thin adapter stands for each."),
        *slim(262),
        *legend(354),
    ]
    inner = "\n".join(parts)
    about = (
        "SkipTune in three steps: adapters are inserted into a frozen model; sets of skipped blocks are compared while "
        "the adapters train; the exported model lacks the skipped blocks."
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, -apple-system, Segoe UI, Roboto, Liberation Sans, sans-serif">\n'
        f"<title>{about}</title>\n"
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#fff"/>\n{inner}\n</svg>\n'
    )


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(picture(), encoding="utf-8")
