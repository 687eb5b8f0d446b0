"""Start Ray on this machine, or connect to a cluster of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from .address import LOCAL

#: Nothing is reported to Ray's makers, and tasks without a GPU see those of their node as they are.
_EVERYWHERE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
#: Of a Ray that is started here. Who would use it needs the token that Ray keeps for its user, and what runs there does
#: not come after other work of the machine.
_HERE = {"RAY_AUTH_MODE": "token", "RAY_worker_niceness": "0"}
#: Bytes that objects of a Ray that is started here may take: results of tasks are small, and requests are none.
_STORE = 200 * 2**20
#: How often Ray is started here at most. It gives up when one of its processes takes 15 s, as on a busy machine; next
#: time their files are in memory already.
_STARTS = 3


def environment(address: str) -> dict[str, str]:
    """Ray's own settings, which it reads from the environment when it is imported."""
    return {**_EVERYWHERE, **(_HERE if address == LOCAL else {})}


def set_environment(settings: Mapping[str, str]) -> None:
    """Put settings into the environment, unless they are there."""
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def start(address: str, **options: Any) -> None:
    """Start Ray, or connect to it.

    Args:
        address: ``local``, which is started here, again where it gives up; or that of a cluster.
        options: further ones of ``ray.init``.

    Raises:
        Exception: of many kinds, by what does not fit.
    """
    import ray

    own: dict[str, Any] = {"object_store_memory": _STORE, "include_dashboard": False} if address == LOCAL else {}
    for left in reversed(range(_STARTS if address == LOCAL else 1)):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own, **options)
            return
        except Exception:
            ray.shutdown()
            if not left:
                raise
