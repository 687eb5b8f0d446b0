"""``skiptune serve`` beside the bare model: throughput, times, overload, and requests that are no requests.

    python benchmarks/serve.py [MODEL] [--seconds 10] [--overload 600] [--malformed 1000]

MODEL is one of easy-VQA; by default one like that of ``skiptune run easy-vqa-demo``, as fast and untrained. Questions
are easy-VQA's test questions on their pictures. Server and clients share the machine: the clients' processor time is
told, too. ``benchmarks/results/serve.json`` tells

- ``bare``: questions a second of the model alone in this process, by batch and threads of torch: ``whole`` with
  decoding pictures and texts, ``forward`` without;
- ``start_seconds``: from the command to its first answer;
- ``load``: a row for each number of clients, with batches and without: answers a second, their times, the mean batch,
  and processor seconds of the server's processes and of the clients; ``bare``: questions a second of the bare model
  with as many threads at the largest batch that is no larger, measured at once after the load, because a machine is
  not as fast at all times; ``of_bare``: the rate over that; ``ms`` and ``bare_ms``: processor time of a question, in
  the replica and in the bare model, which depends less on what else runs;
- ``overload``: many more clients than the queue has places: statuses, wrong answers, memory of the server's processes;
- ``malformed``: statuses of drawn requests that cannot be answered, and whether a good one is answered afterwards.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import easy_vqa
import psutil
import torch

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.process import versions
from skiptune.data.readers.easy_vqa import read_easy_vqa
from skiptune.data.record import Record

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "serving"))
from malformed import malformed  # noqa: E402

CLIENT = Path(__file__).with_name("serve_client.py")
CLIENTS, BATCHES, ASKED, OVERLOAD = (1, 4, 16), (1, 2, 4, 8, 16, 32), 256, 200
PATH = "/v1/models/demo/ask"


def like_the_demo(folder: Path) -> str:
    """A slim model with the blocks and adapters of the recipe ``easy-vqa-demo``, untrained; returns its directory."""
    task = st.Vqa(st.load_processor("vilt-scenes"), easy_vqa.get_answers())
    model = st.load_model("vilt-scenes", task.model_class, quiet=True, **task.model_changes())
    st.insert(model, st.SkipConfig(block_adapter="lora", lora_rank=16, skip_width=64))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    blocks = tuple(st.blocks_of(model))
    st.choose(model, blocks[:4])
    st.export(model.eval(), folder, st.Plan("vilt", blocks, blocks[:4]), task)
    return str(folder)


def bare(
    pipe: st.Pipeline, records: Sequence[Record], seconds: float, threads: int, batches: Sequence[int] = BATCHES
) -> dict[str, dict[str, float]]:
    """Questions a second of the model alone, by batch."""
    torch.set_num_threads(threads)
    found = {}
    for batch in batches:
        parts = [list(records[start : start + batch]) for start in range(0, len(records), batch)]
        with torch.inference_mode():
            inputs = [pipe.task.inputs(part) for part in parts]
            whole = rate(lambda place, parts=parts: pipe.task.best_answers(pipe.model, parts[place], 5), parts, seconds)
            forward = rate(lambda place, inputs=inputs: pipe.model(**inputs[place]), parts, seconds)
        found[str(batch)] = {"whole": whole, "forward": forward}
    return found


def beside(pipe: st.Pipeline, records: Sequence[Record], batch: float, seconds: float) -> dict[str, float]:
    """Rate of the bare model for a batch, and processor time of a question."""
    size = max(each for each in BATCHES if each <= max(1.0, batch))
    parts = [list(records[start : start + size]) for start in range(0, len(records), size)]
    used, asked = time.process_time(), 0

    def run(place: int) -> None:
        nonlocal asked
        pipe.task.best_answers(pipe.model, parts[place], 5)
        asked += len(parts[place])

    with torch.inference_mode():
        found = rate(run, parts, seconds)
    return {"bare": found, "bare_ms": round(1000 * (time.process_time() - used) / asked, 2)}


def rate(run: Any, parts: Sequence[Sequence[Record]], seconds: float) -> float:
    """Records a second, after one round that does not count."""
    run(0)
    start, count, place = time.perf_counter(), 0, 0
    while time.perf_counter() - start < seconds:
        run(place % len(parts))
        count, place = count + len(parts[place % len(parts)]), place + 1
    return round(count / (time.perf_counter() - start), 1)


def http(body: bytes, kind: str = "application/json") -> bytes:
    """A whole request."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextmanager
def serving(model: str, port: int, *options: str) -> Iterator[tuple[psutil.Process, float]]:
    """Context with the process of a service, and the seconds until it answered."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "skiptune", "serve", f"demo={model}", "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not any(line.startswith("ready") for line in process.stdout):
                raise SystemExit("the service did not start")
            yield psutil.Process(process.pid), time.perf_counter() - start
        finally:
            process.send_signal(signal.SIGTERM)
            if process.wait(120):
                raise SystemExit(f"the service ended with {process.returncode}")


def processes(root: psutil.Process) -> dict[str, list[psutil.Process]]:
    """The processes of a service by what they do."""
    found: dict[str, list[psutil.Process]] = {}
    for process in [root, *root.children(recursive=True)]:
        try:
            title = " ".join(process.cmdline())
        except psutil.NoSuchProcess:  # it ended meanwhile
            continue
        known = ("ServeReplica", "ProxyActor", "ServeController", "raylet", "gcs_server")
        found.setdefault(next((name for name in known if name in title), "other"), []).append(process)
    return found


def spent(root: psutil.Process) -> Counter[str]:
    """Processor seconds by what processes do."""
    found: Counter[str] = Counter()
    for name, group in processes(root).items():
        for each in group:
            with suppress(psutil.NoSuchProcess):
                found[name] += sum(each.cpu_times()[:2])
    return found


def resident(root: psutil.Process) -> dict[str, float]:
    """MiB in memory, of the two that requests pass."""
    groups = processes(root)
    return {
        name: round(sum(each.memory_info().rss for each in groups.get(name, [])) / 2**20, 1)
        for name in ("ServeReplica", "ProxyActor")
    }


def batches(port: int) -> tuple[float, float]:
    """Number of batches so far, and of questions in them."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    found = [
        float(line.split()[-1])
        for name in ("count", "sum")
        for line in lines
        if line.startswith(f"skiptune_batch_size_{name}")
    ]
    return (found[0], found[1]) if found else (0.0, 0.0)


def start_load(job: dict[str, Any], **values: Any) -> subprocess.Popen[str]:
    """Clients in a process of their own."""
    pipe = subprocess.Popen([sys.executable, str(CLIENT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert pipe.stdin is not None
    json.dump({**job, **values}, pipe.stdin)
    pipe.stdin.close()
    return pipe


def measured(root: psutil.Process, job: dict[str, Any], clients: int, seconds: float) -> dict[str, Any]:
    """One load: what clients saw, the mean batch, and who used the processor."""
    start_load(job, clients=clients, seconds=1).wait()
    before, number = spent(root), batches(job["port"])
    pipe = start_load(job, clients=clients, seconds=seconds)
    found = json.load(pipe.stdout)  # type: ignore[arg-type]
    pipe.wait()
    after = batches(job["port"])
    used = {name: round(value - before[name], 2) for name, value in spent(root).items() if value - before[name] > 0.05}
    mean = (after[1] - number[1]) / max(1.0, after[0] - number[0])
    return {"clients": clients, **found, "mean_batch": round(mean, 1), "server_seconds": used}


def overloaded(root: psutil.Process, job: dict[str, Any], seconds: float) -> dict[str, Any]:
    """As :func:`measured`, with far too many clients, and memory over time."""
    pipe = start_load(job, clients=OVERLOAD, seconds=seconds, pause=0.2)
    samples: list[dict[str, float]] = []
    while pipe.poll() is None:
        samples.append(resident(root))
        time.sleep(max(0.5, seconds / 60))
    found = json.load(pipe.stdout)  # type: ignore[arg-type]
    quarter = max(1, len(samples) // 4)
    growth = {
        name: round(
            sum(each[name] for each in samples[-quarter:]) / quarter
            - sum(each[name] for each in samples[quarter : 2 * quarter]) / quarter,
            1,
        )
        for name in samples[0]
    }
    return {
        "clients": OVERLOAD,
        "seconds": seconds,
        **found,
        "first_mib": samples[0],
        "last_mib": samples[-1],
        "growth_mib_from_second_to_last_quarter": growth,
    }


def refused(port: int, count: int, picture: bytes, good: bytes, seed: int = 0) -> dict[str, Any]:
    """Statuses of requests that cannot be answered; of a good one afterwards."""
    draw, statuses, unclear = random.Random(seed), Counter[str](), 0
    before = batches(port)
    for _ in range(count):
        kind, body = malformed(draw, picture)
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", PATH, body, {"Content-Type": kind})
        response = connection.getresponse()
        told = json.loads(response.read())
        statuses[str(response.status)] += 1
        unclear += not isinstance(told.get("error"), str) or "Traceback" in told["error"]
        connection.close()
    asked = batches(port)[1] - before[1]
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", PATH, good, {"Content-Type": "application/json"})
    afterwards = connection.getresponse().status
    return {
        "count": count,
        "seed": seed,
        "statuses": dict(sorted(statuses.items())),
        "without_a_sentence": unclear,
        "questions_that_reached_the_model": asked,
        "a_good_request_afterwards": afterwards,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="a slim model's directory, of easy-VQA")
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--overload", type=float, default=600, help="seconds")
    parser.add_argument("--malformed", type=int, default=1000, help="requests")
    parser.add_argument("--port", type=int, default=8017)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "serve.json")
    options = parser.parse_args()
    if options.model is None:
        with tempfile.TemporaryDirectory() as folder:
            options.model = like_the_demo(Path(folder) / "demo")
            measure(options)
    else:
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """All of it, written to a file."""
    pipe = st.pipeline(options.model)
    records = [Record(Path(str(each.image)).read_bytes(), each.text) for each in read_easy_vqa("test")[:ASKED]]
    threads = max(1, (os.cpu_count() or 1) - 1)
    found: dict[str, Any] = {
        "command": shlex.join(["python", "benchmarks/serve.py", *sys.argv[1:]]),
        "versions": versions(),
        "cores": os.cpu_count(),
        "threads": threads,
    }
    alone = [st.predict(pipe.model, pipe.task, [each], top=5)[0] for each in records]
    bodies = [
        json.dumps({"image": base64.b64encode(each.image).decode(), "text": each.text}).encode() for each in records
    ]
    job = {
        "port": options.port,
        "pause": 0.05,
        "requests": [base64.b64encode(http(body)).decode() for body in bodies],
        "expected": [[(answer.answer, answer.probability) for answer in each] for each in alone],
    }
    found["bare"] = {
        str(threads): bare(pipe, records, options.seconds / 5, threads),
        str(threads + 1): bare(pipe, records, options.seconds / 5, threads + 1, (16,)),
    }
    torch.set_num_threads(threads)
    found["load_average_before"] = [round(value, 1) for value in psutil.getloadavg()]
    found["load"] = []
    for name, settings in (("with batches", ()), ("without batches", ("--batch", "1"))):
        with serving(options.model, options.port, *settings) as (root, seconds):
            found.setdefault("start_seconds", round(seconds, 1))
            for clients in CLIENTS:
                row = {"name": name, **measured(root, job, clients, options.seconds)}
                row |= beside(pipe, records, row["mean_batch"], options.seconds / 2)
                row["of_bare"] = round(row["per_second"] / row["bare"], 2)
                answered = row["statuses"].get("200", 0)
                row["ms"] = round(1000 * row["server_seconds"]["ServeReplica"] / max(1, answered), 2)
                found["load"].append(row)
                print(row, flush=True)
            if not settings:
                found["malformed"] = refused(options.port, options.malformed, records[0].image, bodies[0])
                print(found["malformed"], flush=True)
                found["overload"] = overloaded(root, job, options.overload)
                print(found["overload"], flush=True)
    write_json(options.output, found)


if __name__ == "__main__":
    main()
