"""Settings and facts of the whole process: memory allocation, quiet libraries, device, resident memory, versions."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, first_line

if TYPE_CHECKING:
    import torch

_STATUS = Path("/proc/self/status")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> None:
    """Ask glibc to keep freed memory for the next allocation instead of handing it back to the kernel.

    Training frees and allocates the same few megabytes thousands of times a second; without this every round trip
    zeroes pages again, which costs about a fifth of the time of a small model on a CPU. No effect off Linux and glibc.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 2**26)


def best_device() -> str:
    """``cuda`` where there is one, else ``cpu``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def usable_device(device: str | torch.device) -> torch.device:
    """A device that torch can put a model on.

    Raises:
        InputError: there is no such device, or torch cannot use it.
    """
    import torch

    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (AssertionError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        about = first_line(error).partition(":")[0]
        raise InputError(f"device: {device!s} cannot be used; expected e.g. cpu or cuda ({about})") from None
    return found


def resident_bytes(peak: bool = False) -> int | None:
    """Resident memory of this process, or its peak; ``None`` where the system has no ``/proc``.

    The peak is not ``ru_maxrss``, which a process inherits from the one that started it.
    """
    if not _STATUS.is_file():
        return None
    name = "VmHWM:" if peak else "VmRSS:"
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def is_disk_failure(error: BaseException) -> bool:
    """Whether an exception of any library means that a file could not be written."""
    signs = ("No space left", "PytorchStreamWriter", "unexpected pos", "iostream error", "Disk quota",
             "Read-only file system", "File too large", "not enough space on the disk", "disk is full",
             "disk I/O error", "readonly database")  # fmt: skip
    return any(sign in str(error) for sign in signs)


def is_memory_failure(error: BaseException) -> bool:
    """Whether an exception of any library means that memory ran out."""
    return any(sign in str(error) for sign in ("out of memory", "not enough memory", "can't allocate memory"))


def quiet_libraries() -> None:
    """Switch off tokenizer fork warnings, short loading bars, and advice of libraries."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers depend on."""
    packages = ("torch", "transformers", "peft", "accelerate", "safetensors", "numpy", "pillow")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
