"""The interface of a service as one HTML page that loads nothing and runs nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..core.templates import render
from .asked import Ask
from .limits import Limits


@dataclass(frozen=True)
class Address:
    """What can be asked for.

    Attributes:
        method: of HTTP.
        path: of the address.
        about: what it does.
        statuses: with what they mean.
    """

    method: str
    path: str
    about: str
    statuses: tuple[tuple[str, str], ...]


def interface_page(openapi: dict[str, Any], limits: Limits) -> str:
    """The page.

    Args:
        openapi: the description that programs read.
        limits: of requests.
    """
    addresses = [
        Address(
            method.upper(),
            path,
            about.get("description", ""),
            tuple((status, told["description"]) for status, told in about["responses"].items()),
        )
        for path, methods in openapi["paths"].items()
        for method, about in methods.items()
    ]
    return render(
        __package__,
        "interface.html.j2",
        addresses=addresses,
        fields=_described(Ask.__doc__ or ""),
        limits=[(name, about, json.dumps(getattr(limits, name))) for name, about in _described(Limits.__doc__ or "")],
    )


def _described(docstring: str) -> list[tuple[str, str]]:
    """Names and texts of the attributes in a docstring."""
    _, _, attributes = docstring.partition("Attributes:\n")
    found: list[tuple[str, str]] = []
    for line in attributes.splitlines():
        if line.startswith(" " * 12) and found:
            name, text = found.pop()
            found.append((name, f"{text} {line.strip()}"))
        elif line.strip():
            name, _, text = line.strip().partition(": ")
            found.append((name, text))
    return [(name, text.replace("``", "")) for name, text in found]
