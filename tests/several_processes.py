"""Processes of one job without a launcher."""

from __future__ import annotations

import socket


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def told_ranks(count: int) -> list[dict[str, str]]:
    """What a launcher would tell each of ``count`` processes."""
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    return [{**shared, "RANK": str(number), "LOCAL_RANK": str(number)} for number in range(count)]
