"""The ways a command ends badly."""

from __future__ import annotations


class InputError(ValueError):
    """What the user gave is wrong; the message names it and says what to do. The command line exits with 2."""


class RunError(RuntimeError):
    """The input was fine and the work failed all the same. The command line exits with 1."""


class PeerError(RuntimeError):
    """The failure was another process's, which says what it was; this one ends with 1 and without a word."""


def first_line(error: BaseException) -> str:
    """What an exception of whatever library says first; its class where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
