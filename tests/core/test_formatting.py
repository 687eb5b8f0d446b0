"""Numbers as text, and text that cannot leave its cell of a table."""

from __future__ import annotations

import pytest

from skiptune.core.formatting import (
    Markdown,
    change,
    count,
    duration,
    markdown,
    markdown_code,
    markdown_table,
    milliseconds,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (7.5, "7.5 s"),
        (42, "42 s"),
        (59.96, "1 min 00 s"),
        (61.0, "1 min 01 s"),
        (599.4, "9 min 59 s"),
        (720, "12 min"),
        (3580, "1 h 00 min"),
        (6000, "1 h 40 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_counts_times_and_changes() -> None:
    assert [count(n) for n in (12, 999, 1234, 999_600, 2_560_000, 3e9)] == [
        "12", "999", "1.23 k", "1.00 M", "2.56 M", "3.00 G",
    ]  # fmt: skip
    assert [milliseconds(s) for s in (0.0021, 0.07, 0.5, 1.2345)] == ["2.10 ms", "70.0 ms", "500 ms", "1,234 ms"]
    assert milliseconds(0.0021, decimals=1) == "2.1 ms"
    assert [change(x) for x in (-0.25, 0.031, 0.0, -0.0001)] == ["−25.0%", "+3.1%", "0.0%", "0.0%"]


def test_no_cell_can_leave_its_table() -> None:
    text = markdown_table(("", "a|b"), [("x\n# y", "[a](b) <i>"), (Markdown("**kept**"), markdown_code("a|`b"))])
    assert text.splitlines() == [
        r"|  | a\|b |",
        "| --- | --- |",
        r"| x \# y | \[a\](b) &lt;i&gt; |",
        r"| **kept** | ``a\|`b`` |",
    ]
    assert markdown(text) is text
    assert markdown_table(("m", "n", "p"), [], numbers_from=1) == "| m | n | p |\n| --- | ---: | ---: |"
