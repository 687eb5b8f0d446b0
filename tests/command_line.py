"""The command line, as tests start it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest.mock import patch

from skiptune.cli.main import main


def skiptune(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In this process: one of its own takes seconds to import everything."""
    code, out, err = 0, StringIO(), StringIO()
    with patch.object(sys, "argv", ["skiptune", *arguments]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def skiptune_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own."""
    return subprocess.run([sys.executable, "-m", "skiptune.cli", *arguments], capture_output=True, text=True)
