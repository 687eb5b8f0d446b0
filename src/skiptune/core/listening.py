"""Whether this machine can listen at an address."""

from __future__ import annotations

import socket
import sys

from .errors import InputError


def refuse_taken(host: str, port: int | None) -> None:
    """Refuse an address that is not this machine's, or a port that another program has; ``None``: any port will do.

    Raises:
        InputError: says why.
    """
    try:
        kind, *_, address = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise _refused(host, port, error) from None
    with socket.socket(kind) as tried:
        if sys.platform != "win32":  # one that was just given up may be taken
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(address)
        except OSError as error:
            raise _refused(host, port, error) from None


def _refused(host: str, port: int | None, error: OSError) -> InputError:
    reason = error.strerror or str(error)
    return InputError(f"--host {host} --port {port or 'any'}: cannot listen there ({reason})")
