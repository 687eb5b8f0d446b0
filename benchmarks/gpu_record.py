"""What ``benchmarks/gpu.py`` has measured so far, in a file, and the time that is left to it."""

from __future__ import annotations

import gc
import subprocess
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch

from skiptune.core.errors import first_line
from skiptune.core.files import write_json
from skiptune.core.process import is_memory_failure, versions
from skiptune.core.text_files import read_json


class Clock:
    """Minutes from the beginning of the process, divided among sections; what one leaves is there for the next.

    Args:
        minutes: for all of them.
        shares: of each section, in running order.
    """

    def __init__(self, minutes: float, shares: Mapping[str, float]) -> None:
        self._began, so_far = psutil.Process().create_time(), 0.0
        self._ends: dict[str, float] = {}
        for name, share in shares.items():
            so_far += share / sum(shares.values())
            self._ends[name] = self._began + 60 * minutes * so_far

    def left(self, section: str) -> float:
        """Seconds."""
        return self._ends[section] - time.time()

    @property
    def spent(self) -> float:
        """Seconds since the process began."""
        return time.time() - self._began


class Record:
    """The output file; each part is in it as soon as it is finished.

    Args:
        path: of the file. What it has of the same device, versions and command is not measured again.
        about: the device and the command.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self._path, self._about = path, {**about, "versions": versions()}
        before = read_json(path) if path.is_file() else {}
        same = {name: before.get(name) for name in self._about} == self._about
        self.parts: dict[str, dict[str, Any]] = {part["part"]: part for part in before["parts"]} if same else {}
        self._runs: list[dict[str, Any]] = before["runs"] if same else []

    def wants(self, part: str) -> bool:
        """Whether a part is not measured yet."""
        return self.parts.get(part, {}).get("state") != "measured"

    def put(self, part: str, **content: Any) -> None:
        """Write a finished part."""
        self.parts[part] = {"part": part, "state": "measured", **content}
        self._write()

    def skip(self, part: str, reason: str, state: str = "skipped") -> None:
        """Write why a part is not measured; another run tries it again."""
        print(f"{part}: {state}: {reason}", flush=True)
        self.parts[part] = {"part": part, "state": state, "reason": reason}
        self._write()

    @contextmanager
    def telling(self, part: str) -> Iterator[None]:
        """Context in which what fails is written, and the rest goes on."""
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            self.skip(part, why(error), "failed")

    def finish(self, command: str, seconds: float) -> None:
        """Write the command of a whole run, and how long it took."""
        self._runs.append({"command": command, "seconds": round(seconds, 1)})
        self._write()

    def _write(self) -> None:
        write_json(self._path, {**self._about, "runs": self._runs, "parts": list(self.parts.values())})


def why(error: BaseException) -> str:
    """An exception for a row."""
    return "out of memory" if is_memory_failure(error) else f"{type(error).__name__}: {first_line(error)}"


def machine(device: str) -> dict[str, Any]:
    """Device, memory and what drives it."""
    found: dict[str, Any] = {
        "device": device,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "tf32_matmul": torch.get_float32_matmul_precision() != "highest",
        "tf32_cudnn": torch.backends.cudnn.allow_tf32,
    }
    if device != "cuda":
        return found
    properties = torch.cuda.get_device_properties(0)
    return found | {
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "capability": f"{properties.major}.{properties.minor}",
        "driver": _driver(),
    }


def _driver() -> str | None:
    try:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


def let_go() -> None:
    """Give back memory that nothing holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
