"""A connection to a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..core.errors import InputError, RunError, first_line
from ..core.extras import require_extra
from ..core.progress import busy, console
from .address import AUTO, check_answers
from .failures import raised, reason
from .node import Node, NodeFacts, check_versions, facts_here, make_probe
from .ray_start import environment, set_environment, start

R = TypeVar("R")


@dataclass(frozen=True)
class Needs:
    """What a task needs on its node.

    Attributes:
        cpus: cores.
        gpus: 0.5 means that two tasks share one.
    """

    cpus: float
    gpus: float = 0.0

    def at_once(self, node: Node) -> int:
        """How many such tasks a node does at a time."""
        found = int(node.cpus // self.cpus) if self.cpus else 0
        return min(found, int(node.gpus / self.gpus)) if self.gpus else found


@dataclass(frozen=True)
class Cluster:
    """A cluster to which this process is connected.

    Attributes:
        address: as it was given.
    """

    address: str

    def nodes(self) -> list[Node]:
        """The nodes that are alive and have cores for tasks."""
        import ray

        listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        return [node for node in (Node.of(entry) for entry in listed if entry["Alive"]) if node.cpus > 0]

    def share(self, parts: int) -> Needs:
        """A task's share of a node if ``parts`` run on the smallest one at a time; of its GPUs where all have some."""
        nodes = self.nodes()
        cpus = max(1, int(min(node.cpus for node in nodes)) // parts)
        return Needs(cpus, min(1.0, min(node.gpus for node in nodes) / parts))

    def at_once(self, needs: Needs) -> int:
        """How many tasks the cluster does at a time."""
        return sum(needs.at_once(node) for node in self.nodes())

    def on_each(self, work: Callable[..., R], *given: Any, keep: bool = False) -> list[tuple[Node, R]]:
        """Call ``work`` with what is ``given`` once on every node, in a process that ends with it unless it is to
        ``keep`` what it has read. A node that dies meanwhile is left out.

        Raises:
            RunError: ``work`` raised something on a node.
        """
        import ray
        from ray.exceptions import RayError
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes, task = self.nodes(), ray.remote(num_cpus=0, max_calls=0 if keep else 1)(work)
        there = [NodeAffinitySchedulingStrategy(node.key, soft=False) for node in nodes]
        running = [task.options(scheduling_strategy=at).remote(*given) for at in there]
        found = list[tuple[Node, R]]()
        for node, reference in zip(nodes, running, strict=True):
            try:
                found.append((node, ray.get(reference)))
            except RayError as error:
                if raised(error) is not None:
                    raise RunError(f"{node.host}: {reason(error)}") from None
        return found


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster at ``address``, for as long as the context lasts. A connection that the process has is used. Inside
    nothing is printed on standard output.

    Raises:
        InputError: the extra ``ray`` is not installed, nothing answers at the address, the nodes have another version
            of this package, or none of them takes tasks.
    """
    set_environment(environment(address))
    require_extra("ray", "ray")
    import ray

    if ray.is_initialized():
        yield _examined(address)
        return
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):  # Ray tells its logs there
        _connect(address)
        try:
            yield _examined(address)
        finally:
            ray.shutdown()


def _connect(address: str) -> None:
    check_answers(address)
    try:
        with busy("Ray"):
            start(address)
    except Exception as error:  # of many kinds, by what does not fit
        advice = "; start one with: ray start --head" if address == AUTO else ""
        raise InputError(f"--ray {address}: cannot connect ({first_line(error)}){advice}") from None


def _examined(address: str) -> Cluster:
    cluster = Cluster(address)
    if not cluster.nodes():
        raise InputError(f"--ray {address}: no node of the cluster has cores for tasks")
    found = [(node, NodeFacts.from_dict(facts)) for node, facts in cluster.on_each(make_probe())]
    for line in check_versions(facts_here(), found):
        console.print(line)
    return cluster
