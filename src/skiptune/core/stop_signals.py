"""Waiting for the end of what runs until it is told to stop."""

from __future__ import annotations

import signal
import threading

#: Seconds of a wait: on Windows a signal does not end a longer one.
_LOOK = 0.5


def wait_for_stop() -> None:
    """Wait for SIGINT (Ctrl-C) or SIGTERM. Who waited ends as one that did its work, with exit code 0."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    while not stopped.wait(_LOOK):
        continue
