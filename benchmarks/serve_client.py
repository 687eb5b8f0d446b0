"""Clients of a service in one process, as cheap as may be: requests are bytes that are made before.

    python benchmarks/serve_client.py < JOB

``JOB`` is JSON: ``port``, ``clients``, ``seconds``, ``requests`` (whole HTTP requests in base64) and ``expected`` (the
answers to them, with their probabilities). It prints JSON: what came back, how long it took, and its processor time.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

#: Probabilities move in the last digits with the batch.
TOLERANCE = 1e-4
#: Seconds after the end in which a last answer may come; who has none by then has lost it.
LATE = 60


@dataclass
class Load:
    """What clients saw.

    Attributes:
        seconds: of every request that was answered, by its status.
        wrong: answers that are not the expected ones.
        lost: connections that ended without an answer.
        unclear: refusals without a sentence.
    """

    seconds: dict[int, list[float]] = field(default_factory=dict)
    wrong: int = 0
    lost: int = 0
    unclear: int = 0

    def add(self, status: int, seconds: float, body: bytes, expected: list[list[Any]]) -> None:
        """Count one response."""
        self.seconds.setdefault(status, []).append(seconds)
        try:
            told = json.loads(body)
        except ValueError:
            self.unclear += 1
            return
        if status != 200:
            self.unclear += not isinstance(told.get("error"), str)
            return
        found = [(each["answer"], each["probability"]) for each in told["predictions"][0]["answers"]]
        alike = zip(found, expected, strict=True)
        self.wrong += not all(a[0] == b[0] and abs(a[1] - b[1]) < TOLERANCE for a, b in alike)


async def _client(number: int, job: dict[str, Any], load: Load, end: float) -> None:
    """One client, which asks again as soon as it has an answer; told that it is busy, it waits a moment."""
    requests, reader, writer = job["requests"], None, None
    while time.perf_counter() < end:
        place = number % len(requests)
        number += job["clients"]
        start = time.perf_counter()
        try:
            if writer is None or reader is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", job["port"])
            writer.write(requests[place])
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            status, length = int(head.split(b" ", 2)[1]), int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError, IndexError):
            load.lost += 1
            writer = None
            await asyncio.sleep(0.05)
            continue
        load.add(status, time.perf_counter() - start, body, job["expected"][place])
        if status != 200:
            await asyncio.sleep(job["pause"])
        if b"connection: close" in head:
            writer.close()
            writer = None


def main() -> None:
    job = json.load(sys.stdin)
    job["requests"] = [base64.b64decode(request) for request in job["requests"]]
    load, start = Load(), time.perf_counter()

    async def ask() -> None:
        end = start + job["seconds"]
        clients = [asyncio.create_task(_client(number, job, load, end)) for number in range(job["clients"])]
        done, late = await asyncio.wait(clients, timeout=job["seconds"] + LATE)
        for client in late:
            client.cancel()
        load.lost += len(late)
        for client in done:
            client.result()

    asyncio.run(ask())
    counts = Counter({status: len(found) for status, found in load.seconds.items()})
    answered = sorted(load.seconds.get(200, []))
    at = [round(1000 * answered[int(share * len(answered))], 1) for share in (0.5, 0.99)] if answered else [None, None]
    json.dump(
        {
            "per_second": round(counts[200] / (time.perf_counter() - start), 1),
            "p50_ms": at[0],
            "p99_ms": at[1],
            "statuses": {str(status): count for status, count in sorted(counts.items())},
            "wrong": load.wrong,
            "lost": load.lost,
            "unclear": load.unclear,
            "client_seconds": round(time.process_time(), 2),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
