"""Why a task on a node did not end well."""

from __future__ import annotations

from ..core.errors import first_line


def raised(error: Exception) -> Exception | None:
    """What a task raised, of an error that Ray raises; ``None``: its node or process died."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else None


def reason(error: Exception) -> str:
    """In words."""
    cause = raised(error)
    return first_line(error) if cause is None else f"{type(cause).__name__}: {first_line(cause)}"
