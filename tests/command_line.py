"""The command line, as tests start it: in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def skiptune(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "skiptune.cli", *arguments], capture_output=True, text=True)
