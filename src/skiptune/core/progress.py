"""Progress bars for long work; they write to standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from functools import cache
from threading import Timer
from typing import TypeVar

from rich.console import Console
from rich.errors import LiveError
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
#: Seconds that work may take without a sign of it.
_SILENT = 2.0


@contextmanager
def without_bars() -> Iterator[None]:
    """Context in which no further bar is shown, because one is shown already."""
    global _no_bars
    before, _no_bars = _no_bars, True
    try:
        yield
    finally:
        _no_bars = before


def bars_are_shown() -> bool:
    """Whether there is no other bar that stands for what is done now."""
    return not _no_bars


@contextmanager
def busy(title: str) -> Iterator[Callable[[str], None]]:
    """Show that work goes on, and for how long, if it takes longer than two seconds. Also for use as a decorator.

    What it gives is a function that names the part of the work that begins.
    """
    bar = Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )
    task = bar.add_task(title, total=None, note="")

    def show() -> None:
        with suppress(LiveError):  # another bar is shown, and rich is too old for two
            bar.start()

    def begin(part: str) -> None:
        bar.update(task, note=part)

    timer = Timer(_SILENT, show)
    timer.daemon = True
    if bars_are_shown():
        timer.start()
    try:
        yield begin
        bar.update(task, total=1, completed=1)
    finally:
        timer.cancel()
        if bar.live.is_started:
            bar.stop()


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
