"""The report of the data doctor on a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..core.formatting import counted
from .finding import SHOWN, Finding
from .model_view import Lengths
from .report import DataReport, PartReport
from .shown_rows import ShownRow

#: Left and right of what is learnt, so that it can be told without colours.
_ANSWER = ("⟦", "⟧")
_STYLES = {"prompt": "", "answer": "bold green", "image": "cyan", "cut": "yellow"}
_LEVELS = {"fault": "bold red", "remark": "yellow"}


def print_report(report: DataReport, console: Console) -> None:
    """Print tables of parts and findings, and the rows as the model sees them."""
    for block in (*_rows(report), _parts(report), *map(_finding, report.findings), Text(verdict(report))):
        console.print(block)


def verdict(report: DataReport) -> str:
    """The last line: how many faults and remarks there are."""
    if not report.findings:
        return "nothing found that would spoil a training"
    return f"{counted(len(report.faults), 'faults')}, {counted(len(report.remarks), 'remarks')}"


def part_rows(report: DataReport) -> list[tuple[str, list[str]]]:
    """What each part holds: a label and a cell for every part."""
    columns = [_of_part(part) for part in report.parts]
    labels = dict.fromkeys(label for column in columns for label in column)
    return [(label, [column.get(label, "") for column in columns]) for label in labels]


def _parts(report: DataReport) -> RenderableType:
    table = Table(title="What is there", title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for part in report.parts:
        table.add_column(part.name, justify="right")
    for label, cells in part_rows(report):
        table.add_row(label, *cells)
    return table


def _of_part(part: PartReport) -> dict[str, str]:
    left_out = part.rows - part.usable
    found = {
        "rows": f"{part.rows:,}",
        "left out": f"{left_out:,}",
        "images": f"{part.images:,}",
        "decoded": f"{part.images_looked_at:,}",
    }
    if (model := part.model) is not None:
        found |= {
            "rows through the processor": f"{model.rows:,}",
            "images of these rows": f"{model.images:,}",
            "places for images": f"{model.placeholders:,}",
            "images that reached the model": f"{model.reached:,}",
        }
        if model.image_tokens is not None:
            found["tokens of an image (median)"] = f"{model.image_tokens:g}"
        found |= _of_lengths("tokens of a row", model.lengths) | _of_lengths("of them learnt", model.answer_tokens)
    if (answers := part.answers) is not None:
        text, share = answers.most_frequent[0]
        found["different answers"] = f"{answers.different:,}"
        found["most frequent"] = f"{text} ({share:.1%})"
    return found


def _of_lengths(name: str, lengths: Lengths | None) -> dict[str, str]:
    if lengths is None:
        return {}
    limit = "" if lengths.limit is None else f" of {lengths.limit:,}"
    return {
        f"{name}: median": f"{lengths.median:g}",
        f"{name}: 95 %": f"{lengths.p95:,}",
        f"{name}: most": f"{lengths.longest:,}{limit}",
    }


def _finding(finding: Finding) -> RenderableType:
    head = Text.assemble(
        (finding.level, _LEVELS[finding.level]),
        f"  {finding.part}: {finding.what}: {finding.count:,} of {finding.of:,}  ",
        (f"({finding.kind})", "dim"),
    )
    lines = [Text(_printable(f"  {example.place}: {example.said}")) for example in finding.examples[:SHOWN]]
    more = finding.count - len(lines)
    if more > 0:
        lines.append(Text(f"  … and {more:,} more", "dim"))
    return Group(Text(), head, *lines, Text(f"  → {finding.advice}", "italic"))


def _rows(report: DataReport) -> Iterator[RenderableType]:
    if not report.rows:
        return
    yield Text(f"{counted(len(report.rows), 'rows')} as the model sees them; {_ANSWER[0]}learnt{_ANSWER[1]}", "bold")
    for row in report.rows:
        yield Text(_printable(f"\n{row.place}"), "dim")
        yield as_text(row)
    yield Text()


def as_text(row: ShownRow) -> Text:
    """A row with its answers between marks."""
    text = Text()
    for segment in row.segments:
        left, right = _ANSWER if segment.kind == "answer" else ("", "")
        text.append(_printable(f"{left}{segment.text}{right}"), _STYLES[segment.kind])
        text.append("" if segment.text.endswith(("\n", " ")) else " ")
    return text


def _printable(text: str) -> str:
    """A text without control characters, which would move the cursor, and without bytes that are no UTF-8."""
    return re.sub("[\x00-\x09\x0b-\x1f\x7f-\x9f]", "\ufffd", text.encode("utf-8", "replace").decode("utf-8"))
