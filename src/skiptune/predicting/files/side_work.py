"""Do the next things in threads while the last one is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def in_advance(jobs: Iterable[Callable[[], T]], workers: int) -> Iterator[T]:
    """The results of jobs in their order; so many of the next ones as there are ``workers`` are done meanwhile.

    With no workers a job is done when its result is wanted. What a job raises is raised in its place.
    """
    if not workers:
        yield from (job() for job in jobs)
        return
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[T]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(job))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
