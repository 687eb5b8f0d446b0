"""Several processes of one job, as ``torchrun`` and ``accelerate launch`` start them.

Every process trains. Other work is done by the first one, and the others wait for its result. They wait on a process
group of its own with a very long timeout, because an evaluation may take hours; the launcher notices a process that
died. With one process nothing is communicated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeVar

from .errors import PeerError

T = TypeVar("T")
R = TypeVar("R")
_PATIENCE = timedelta(days=30)
_inside_main = False


def processes() -> int:
    """The number of processes of this job."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def rank() -> int:
    """The number of this process; 0 is the first one."""
    return int(os.environ.get("RANK", "0")) if processes() > 1 else 0


def on_main(work: Callable[[], T]) -> T:
    """Do ``work`` in the first process only, and return its result in all of them. Called by all of them.

    Raises:
        PeerError: in the other processes, when the work failed in the first one, which raises the error itself.
    """
    if _alone():
        return work()
    import torch.distributed as dist

    group = _waiting_group()
    parcel: list[Any] = [None, False]
    try:
        if rank() == 0:
            with _main():
                parcel = [work(), True]
    except Exception:
        dist.broadcast_object_list(parcel, src=0, group=group)
        raise
    dist.broadcast_object_list(parcel, src=0, group=group)
    if not parcel[1]:
        raise PeerError("the first process failed")
    result: T = parcel[0]
    return result


def share_out(items: Sequence[T], work: Callable[[T], R]) -> list[R]:
    """``work`` on every item, each in one of the processes; all get the same list, in the order of ``items``."""
    if _alone():
        return [work(item) for item in items]
    import torch.distributed as dist

    found: list[Any] = [None] * processes()
    dist.all_gather_object(found, [work(item) for item in items[rank() :: processes()]], group=_waiting_group())
    return [found[k % processes()][k // processes()] for k in range(len(items))]


def add_up(values: Sequence[float]) -> list[float]:
    """Each value summed over the processes, the same in all of them."""
    if _alone():
        return list(values)
    import torch
    import torch.distributed as dist

    total = torch.tensor(values, dtype=torch.float64, device="cuda" if torch.cuda.is_available() else "cpu")
    dist.all_reduce(total)
    return [float(value) for value in total.tolist()]


def alike(error: Exception) -> Exception:
    """The error to raise for a failure that every process has found: ``error`` itself in the first one, a quiet one in
    the others."""
    return error if rank() == 0 else PeerError(str(error))


def is_peer_failure(error: BaseException) -> bool:
    """Whether an exception of torch's means that another process of this job is gone."""
    signs = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Connection refused", "Timed out",
             "remote process exited", "Socket closed", "recvVector failed")  # fmt: skip
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def leave() -> None:
    """Leave the process group, at the end of a job."""
    if processes() > 1:
        import torch.distributed as dist

        if dist.is_initialized():
            dist.destroy_process_group()


def _alone() -> bool:
    return processes() == 1 or _inside_main


@contextmanager
def _main() -> Iterator[None]:
    """While the first process works for all, it must not wait for the others."""
    global _inside_main
    _inside_main = True
    try:
        yield
    finally:
        _inside_main = False


@lru_cache(maxsize=1)
def _waiting_group() -> Any:
    import torch
    import torch.distributed as dist
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available())
    return dist.new_group(backend="gloo", timeout=_PATIENCE)
