"""Optional libraries, which an extra of the distribution installs."""

from __future__ import annotations

from importlib import import_module

from .errors import InputError


def require_extra(extra: str, *libraries: str) -> None:
    """Import the libraries of an extra.

    Raises:
        InputError: one is not installed; the message names the extra.
    """
    for name in libraries:
        try:
            import_module(name)
        except ImportError:
            raise InputError(f'the library {name} is not installed; run: pip install "skiptune[{extra}]"') from None
