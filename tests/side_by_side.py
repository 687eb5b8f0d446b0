"""Work in several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beside(work: Callable[[], None], count: int) -> Iterator[list[BaseException]]:
    """Do ``work`` in so many threads, which begin together and end with the context; yields what they raised."""
    raised: list[BaseException] = []
    together = threading.Barrier(count)

    def run() -> None:
        together.wait()
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield raised
    finally:
        for thread in threads:
            thread.join()


def in_threads(work: Callable[[], None], count: int) -> list[BaseException]:
    """Do ``work`` in so many threads at once; returns what they raised."""
    with beside(work, count) as raised:
        pass
    return raised
