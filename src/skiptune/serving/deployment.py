"""A service on Ray Serve: replicas of it behind one address, on one machine or on a cluster."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import InputError, RunError, first_line
from ..core.extras import require_extra
from ..spreading.address import LOCAL
from ..spreading.ray_start import set_environment, start
from .limits import Limits
from .ray_settings import free_port, is_direct, refuse_taken, settings_of

_NAME = "skiptune"
#: Requests that Ray lets to a replica for each place in its queue: the replica tells the others that it is busy, in
#: JSON. Beyond these, Ray says it in words of its own.
_ABOVE = 16
#: Seconds to wait for the port to be given up, so that the next service can have it.
_ENDING = 2.0


@dataclass(frozen=True)
class Place:
    """Where a service runs.

    Attributes:
        host: that it listens at.
        port: likewise.
        replicas: how many answer.
        threads: of torch, in each.
        address: of a cluster of Ray; ``None``: this machine alone.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    replicas: int = 1
    threads: int = 1
    address: str | None = None


@contextmanager
def running(
    folders: Mapping[str, Path], place: Place, limits: Limits, backend: str | None = None, base: str | None = None
) -> Iterator[str]:
    """Context with the address of a service that answers. At its end, what is asked already is answered, and further
    requests are refused.

    Args:
        folders: of models, by name; on a cluster every machine needs them there.
        place: where it runs.
        limits: of each replica.
        backend: of all models.
        base: another place of the base model.

    Raises:
        InputError: Ray is not installed, or another program has the port.
        RunError: it cannot start, or a model cannot be opened.
    """
    refuse_taken(place)
    set_environment(settings_of(place))
    require_extra("ray", "ray.serve", "prometheus_client", "multipart")
    import ray
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    _start_ray(place)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # in place of Ray's own, which prints its stack
    try:
        serve.start(http_options={"host": place.host, "port": free_port() if is_direct(place) else place.port})
        serve.run(_deployment(folders, place, limits, backend, base), name=_NAME, route_prefix="/")
        yield f"http://{place.host}:{place.port}"
    except (RuntimeError, ray.exceptions.RayError) as error:
        raise RunError(f"the service cannot start: {_reason(error)}") from None
    finally:
        _stop(place)


def _stop(place: Place) -> None:
    """Answer what is asked already, and end. Of a cluster the other applications stay."""
    import ray
    from ray import serve

    with suppress(RuntimeError, ray.exceptions.RayError):  # it may not have come so far
        serve.delete(_NAME)
    ray.shutdown()  # what was started here ends with it, a moment later
    end = time.monotonic() + _ENDING
    while time.monotonic() < end:
        try:
            refuse_taken(place)
            break
        except InputError:
            time.sleep(0.1)


def _start_ray(place: Place) -> None:
    cores = {} if place.address else {"num_cpus": max(2, place.replicas)}
    try:
        start(place.address or LOCAL, configure_logging=False, **cores)  # never one that somebody else has started here
    except Exception as error:
        where = f"there is none at {place.address}" if place.address else "on this machine"
        raise RunError(f"Ray cannot start, {where}: {first_line(error)}") from None


def _deployment(
    folders: Mapping[str, Path], place: Place, limits: Limits, backend: str | None, base: str | None
) -> Any:
    """The application of Ray Serve: one deployment, whose replicas read requests and run models."""
    from ray import serve

    names = {name: str(folder.resolve()) for name, folder in folders.items()}
    values, threads = limits.to_dict(), place.threads

    def build() -> Any:
        from skiptune.serving.app import application
        from skiptune.serving.limits import Limits
        from skiptune.serving.service import Service

        opened = {name: Path(folder) for name, folder in names.items()}
        return application(Service.of(opened, Limits.from_dict(values), threads, backend, base))

    return serve.deployment(
        name=_NAME,
        num_replicas=place.replicas,
        max_ongoing_requests=_ABOVE * limits.queue,
        max_queued_requests=_ABOVE * limits.queue,
        graceful_shutdown_timeout_s=float(limits.seconds),
        graceful_shutdown_wait_loop_s=0.1,
        max_constructor_retry_count=1,
        ray_actor_options={"num_cpus": 1},
        logging_config={"enable_access_log": False},
    )(serve.ingress(build)()).bind()


def _reason(error: Exception) -> str:
    """The last line of Ray's report: what the models said."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "Error: " in line), lines[0] if lines else type(error).__name__)
