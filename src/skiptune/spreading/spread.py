"""Tasks on the nodes of a cluster: results as they come, again elsewhere where a node dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..core.progress import console
from .cluster import Cluster, Needs
from .failures import reason

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")
R = TypeVar("R")
#: How often a task begins again whose node or process died. One that raises is not done again.
_AGAIN = 5
#: Seconds for tasks to end by themselves when the work is stopped, before they are killed.
_COURTESY = 10.0
#: Seconds after which to look whether all nodes are there.
_LOOK = 5.0


@dataclass(frozen=True)
class Ended(Generic[T, R]):
    """A task that ended.

    Attributes:
        item: that it was given.
        result: what it gave back; ``None`` if it failed.
        failure: the reason; empty if it did not.
    """

    item: T
    result: R | None
    failure: str = ""


class Spread(Generic[T, R]):
    """Calls a function with items, each as a task on some node. A context manager: leaving it stops what is not done.

    The result of a task reaches this process when it ends. A node that dies takes nothing along but what it worked on,
    and that is begun again on another one.

    Args:
        cluster: that does it.
        work: a function of a module, which is not to raise: what a user is to know is a part of the result.
        needs: of one call.
        keep: let processes live for further calls, with what they have read. Otherwise each call has one of its own,
            whose memory is free after it.
    """

    def __init__(self, cluster: Cluster, work: Callable[[T], R], needs: Needs, keep: bool = False) -> None:
        import ray

        self._cluster, self._alive = cluster, {node.key: node.host for node in cluster.nodes()}
        self._task = ray.remote(
            num_cpus=needs.cpus,
            num_gpus=needs.gpus,
            max_retries=_AGAIN,
            max_calls=0 if keep else 1,
            scheduling_strategy="SPREAD",
        )(work)
        self._running: dict[Any, T] = {}

    def add(self, item: T) -> None:
        """Another call; it begins as soon as there is room."""
        self._running[self._task.remote(item)] = item

    def ended(self) -> Iterator[Ended[T, R]]:
        """The tasks in the order in which they end, those included that are added meanwhile."""
        import ray
        from ray.exceptions import RayError

        while self._running:
            ready = ray.wait(list(self._running), num_returns=1, timeout=_LOOK)[0]
            self._tell_of_deaths()
            for reference in ready:
                item = self._running.pop(reference)
                try:
                    yield Ended(item, ray.get(reference))
                except RayError as error:
                    yield Ended(item, None, reason(error))

    def _tell_of_deaths(self) -> None:
        now = {node.key: node.host for node in self._cluster.nodes()}
        for key, host in self._alive.items():
            if key not in now:
                console.print(f"{host} is gone; what ran there begins again on another node")
        self._alive = now

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        left = list(self._running)
        for force, patience in ((False, _COURTESY), (True, 0.0)):
            for reference in left:
                ray.cancel(reference, force=force)
            if left and patience:
                left = ray.wait(left, num_returns=len(left), timeout=patience, fetch_local=False)[1]
        self._running.clear()
