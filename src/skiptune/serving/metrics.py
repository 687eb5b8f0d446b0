"""What a service counts, as Prometheus reads it."""

from __future__ import annotations

import os
import socket

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counts of one replica, which is a label of each of them: behind several, an answer is of one."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        self.replica = f"{socket.gethostname()}-{os.getpid()}"
        labels = ("replica", "model")
        self._requests = Counter(
            "skiptune_requests", "Requests by their status.", (*labels, "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "skiptune_request_seconds",
            "From the arrival of a request to its answer.",
            labels,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batches = Histogram(
            "skiptune_batch_size", "Questions in a batch.", labels, buckets=_SIZES, registry=self.registry
        )
        self._model = Histogram(
            "skiptune_batch_seconds", "Time of a batch.", labels, buckets=_SECONDS, registry=self.registry
        )
        self._waiting = Gauge(
            "skiptune_queue_length", "Questions that wait for the model.", labels, registry=self.registry
        )
        self._inside = Gauge("skiptune_requests_inside", "Requests at a time.", ("replica",), registry=self.registry)

    def request(self, model: str, status: int, seconds: float) -> None:
        """A request has ended."""
        self._requests.labels(self.replica, model, str(status)).inc()
        self._seconds.labels(self.replica, model).observe(seconds)

    def batch(self, model: str, size: int, seconds: float) -> None:
        """A batch has ended."""
        self._batches.labels(self.replica, model).observe(size)
        self._model.labels(self.replica, model).observe(seconds)

    def waiting(self, model: str, count: int) -> None:
        """So many questions wait."""
        self._waiting.labels(self.replica, model).set(count)

    def inside(self, count: int) -> None:
        """So many requests are read, wait or are answered."""
        self._inside.labels(self.replica).set(count)

    def text(self) -> bytes:
        """As Prometheus reads it."""
        from prometheus_client import generate_latest

        return bytes(generate_latest(self.registry))
