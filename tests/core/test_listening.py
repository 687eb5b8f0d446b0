"""Addresses that a server can listen at."""

from __future__ import annotations

import socket

import pytest

from skiptune import InputError
from skiptune.core.listening import refuse_taken


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_an_address_of_this_machine_is_taken(host: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    refuse_taken(host, None)


def test_what_is_no_address_here_or_has_no_free_port_is_refused() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        for host, port in (("127.0.0.1", other.getsockname()[1]), ("300.1.1.1", 80), ("no host", None)):
            with pytest.raises(InputError, match=f"--host {host} --port .*: cannot listen there"):
                refuse_taken(host, port)
