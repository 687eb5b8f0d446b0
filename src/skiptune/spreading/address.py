"""The address of a Ray cluster."""

from __future__ import annotations

import re
import socket
from contextlib import closing

from ..core.errors import InputError

#: A cluster of this machine alone, started for the command and stopped with it.
LOCAL = "local"
#: The cluster that this machine is a part of.
AUTO = "auto"
_HOST = re.compile(r"(ray://)?(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
#: Seconds to wait for an answer; Ray itself waits for a minute.
_PATIENCE = 5.0


def read_address(text: str) -> str:
    """An address as Ray takes it.

    Raises:
        ValueError: it is none of ``auto``, ``local``, ``HOST:PORT`` and ``ray://HOST:PORT``.
    """
    found = _HOST.fullmatch(text)
    if text not in (LOCAL, AUTO) and not (found and 0 < int(found["port"]) < 2**16):
        raise ValueError(f"{text!r} is none of auto, local, HOST:PORT and ray://HOST:PORT")
    return text


def check_answers(address: str) -> None:
    """Refuse the address of a machine where nothing listens.

    Raises:
        InputError: nothing answers there.
    """
    found = _HOST.fullmatch(address)
    if found is None:
        return
    try:
        with closing(socket.create_connection((found["host"].strip("[]"), int(found["port"])), _PATIENCE)):
            return
    except OSError as error:
        raise InputError(
            f"--ray {address}: nothing answers there ({error}); is the cluster up, and is that its head's address?"
        ) from None
