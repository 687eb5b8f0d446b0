"""Progress bars for long work; they write to standard error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .distributed import rank

#: Prints texts as they are: names and rows of users may look like Rich's markup.
console = Console(stderr=True, quiet=rank() > 0, markup=False, emoji=False)
T = TypeVar("T")


@cache
def say_once(text: str) -> None:
    """Print a line, but only once."""
    console.print(text)


_no_bars = False


@contextmanager
def without_bars() -> Iterator[None]:
    """Context in which :func:`track` shows nothing, because a bar is shown already."""
    global _no_bars
    before, _no_bars = _no_bars, True
    try:
        yield
    finally:
        _no_bars = before


def make_bar() -> Progress:
    """A bar with title, count, times and a free text."""
    return Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=False,
    )


def track(items: Iterable[T], title: str) -> Iterator[T]:
    """Yield ``items`` under a progress bar."""
    if _no_bars:
        yield from items
        return
    total = len(items) if isinstance(items, Sized) else None
    with make_bar() as bar:
        task = bar.add_task(title, total=total, note="")
        for item in items:
            yield item
            bar.advance(task)
