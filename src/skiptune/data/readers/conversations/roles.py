"""Who says a turn, by the names that tools have for it."""

from __future__ import annotations

from typing import Any

from ....core.errors import InputError
from ....core.shown import shown
from ...turns import Role

_ROLES: dict[str, Role] = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bing", "bard", "chatgpt", "bot"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
}
#: Turns of tools that a model calls.
_TOOLS = ("tool", "tools", "function", "function_call", "tool_call", "tool_response", "observation", "ipython")


def role_of(value: Any, field: str) -> Role:
    """The role that a name stands for.

    Raises:
        InputError: it is a tool's, or no name that is known.
    """
    name = value.strip().lower() if isinstance(value, str) else value
    if isinstance(name, str) and name in _ROLES:
        return _ROLES[name]
    if name in _TOOLS:
        raise InputError(f"{field}: {shown(value)} is a tool's turn; conversations with tools are not learnt")
    raise InputError(f"{field}: {shown(value)} is no role; known are {', '.join(_ROLES)}")
