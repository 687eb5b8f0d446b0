"""The nodes of a cluster, and what is installed on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.validated import Validated
from ..core.validation import Problems


@dataclass(frozen=True)
class Node:
    """A machine of a cluster, or a part of one.

    Attributes:
        key: its identifier in the cluster.
        host: its name, with its address.
        cpus, gpus: that it has for tasks.
    """

    key: str
    host: str
    cpus: float
    gpus: float

    @staticmethod
    def of(entry: Mapping[str, Any]) -> Node:
        """A node as ``ray.nodes()`` lists it."""
        host, address = entry["NodeManagerHostname"], entry["NodeManagerAddress"]
        resources = entry["Resources"]
        return Node(entry["NodeID"], f"{host} ({address})", resources.get("CPU", 0.0), resources.get("GPU", 0.0))


class NodeFacts(Validated):
    """Where something was computed: the machine's name, and versions; empty: not installed there."""

    host: str
    python: str
    skiptune: str
    torch: str


def make_probe() -> Callable[[], dict[str, str]]:
    """A function that gives the fields of :class:`NodeFacts` of the machine on which it runs.

    Made by another one, because Ray sends such a function whole. Any other it sends as a name, which a machine without
    this package does not know.
    """

    def probe() -> dict[str, str]:
        import platform
        from importlib import import_module
        from importlib.metadata import PackageNotFoundError, version

        try:
            own = str(import_module("skiptune.version").__version__)
        except ImportError:
            own = ""
        try:
            torch = version("torch")
        except PackageNotFoundError:
            torch = ""
        return {"host": platform.node(), "python": platform.python_version(), "skiptune": own, "torch": torch}

    return probe


def facts_here() -> NodeFacts:
    """Those of this machine."""
    return NodeFacts.from_dict(make_probe()())


def check_versions(here: NodeFacts, nodes: Sequence[tuple[Node, NodeFacts]]) -> list[str]:
    """Refuse nodes with another version of this package.

    Args:
        here: of the machine on which the command runs.
        nodes: those of the cluster.

    Returns:
        What differs besides, a line for every node.

    Raises:
        InputError: names every such node.
    """
    problems = Problems("--ray: the nodes need the same version of skiptune as this machine; install it there")
    for node, facts in nodes:
        there = facts.skiptune or "not installed"
        problems.check(facts.skiptune == here.skiptune, f"{node.host}: {there}; here {here.skiptune}")
    problems.raise_any()
    return [
        f"{node.host} has torch {facts.torch or 'not at all'}, this machine {here.torch}: results may differ a little"
        for node, facts in nodes
        if facts.torch != here.torch
    ]


def key_here() -> str:
    """The key of the node on which a task runs."""
    import ray

    return str(ray.get_runtime_context().get_node_id())
