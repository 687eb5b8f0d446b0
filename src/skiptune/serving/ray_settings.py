"""Ray's own settings, which it reads from the environment when it is imported."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ..core import listening
from ..spreading.address import LOCAL
from ..spreading.ray_start import environment

if TYPE_CHECKING:
    from .deployment import Place

#: The one replica listens itself. Otherwise a process of Ray does, which hands every request on: that takes as much
#: time as a small model. Requests are answered in the loop that reads them, and it ends as soon as all is answered.
_DIRECT = {
    "RAY_SERVE_ENABLE_DIRECT_INGRESS": "1",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
}


def is_direct(place: Place) -> bool:
    """Whether a replica itself listens: one alone, on this machine."""
    return place.replicas == 1 and place.address is None


def settings_of(place: Place) -> dict[str, str]:
    """Names and values for the environment."""
    usual = environment(place.address or LOCAL)
    if not is_direct(place):
        return usual
    ports = {"MIN": place.port, "MAX": place.port + 1}
    found = {f"RAY_SERVE_DIRECT_INGRESS_{end}_HTTP_PORT": str(port) for end, port in ports.items()}
    return {**usual, **_DIRECT, **found}


def refuse_taken(place: Place) -> None:
    """Refuse a port that another program has. On a cluster its first machine has it, not this one.

    Raises:
        InputError: says why.
    """
    if place.address is not None:
        return
    listening.refuse_taken(place.host, place.port)


def free_port() -> int:
    """A port of this machine for what nobody asks."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
