"""Errors for users, each with an exit code of the command line."""

from __future__ import annotations


class InputError(ValueError):
    """Wrong input; the message names it and says what to do. The command line exits with 2."""


class RunError(RuntimeError):
    """The input was fine and the work failed all the same. The command line exits with 1."""


class PeerError(RuntimeError):
    """Another process failed and reports the error; this one exits with 1 and prints nothing."""


def first_line(error: BaseException) -> str:
    """The first line of any exception's message; its class name if the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
