"""A Ray cluster of two nodes on this machine, of which one can be killed."""

from __future__ import annotations

import inspect
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

_NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
#: Processes of a node that help Ray, and here have nothing to do.
_HELPERS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")


def free_ports() -> dict[str, int]:
    """A port for each helper."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in _HELPERS]
        for one in found:
            one.bind(("", 0))
        return {name: one.getsockname()[1] for name, one in zip(_HELPERS, found, strict=True)}


@contextmanager
def patient() -> Iterator[None]:
    """Let nodes start on a busy machine: Ray gives up where a helper does not write its port down within 15 seconds."""
    from ray._private import services

    start = services.start_raylet

    def start_raylet(*given: Any, **named: Any) -> Any:
        arguments = inspect.signature(start).bind(*given, **named).arguments
        for name in _HELPERS:
            Path(arguments["session_dir"], f"{name}_{arguments['node_id']}").write_text(str(arguments[name]))
        return start(*given, **named)

    services.start_raylet = start_raylet
    try:
        yield
    finally:
        services.start_raylet = start


class TwoNodes:
    """A head and another node with a core each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster()
        self.other: Any = None
        try:
            with patient():
                self.cluster.add_node(**_NODE, **free_ports(), include_dashboard=False)
            self.add()
        except BaseException:
            self.cluster.shutdown()
            raise

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self) -> None:
        """The other node, if it was killed."""
        if self.other is None:
            with patient():
                self.other = self.cluster.add_node(**_NODE, **free_ports())

    def kill(self) -> None:
        """Kill the other node with all that runs there."""
        self.cluster.remove_node(self.other, allow_graceful=False)
        self.other = None


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """The cluster; skips where Ray is missing, or does not come up."""
    pytest.importorskip("ray", reason="needs the extra ray")
    os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"})
    try:
        nodes = TwoNodes()
    except Exception as error:  # Ray raises what has no name of its own
        pytest.skip(f"Ray does not start here: {error}")
    try:
        yield nodes
    finally:
        nodes.cluster.shutdown()
