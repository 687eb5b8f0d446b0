"""The package imports and runs where there is no ``fcntl``, no ``resource`` and no ``/proc``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_BLOCKED = """
import os, signal, sys
import psutil  # transformers needs it, and on Linux it needs resource
sys.modules["fcntl"] = sys.modules["resource"] = None
from pathlib import Path
from skiptune.core import process
process._STATUS = Path("/nowhere/proc/self/status")
"""

_EVALUATE = """
import importlib, pkgutil
import skiptune as st
for module in pkgutil.walk_packages(st.__path__, "skiptune."):
    if not module.name.endswith("__main__") and not module.name.startswith("skiptune.pretraining"):
        importlib.import_module(module.name)
from skiptune.comparing.job_process import peak_gib
from skiptune.data import record_table
record_table._IN_MEMORY = 0
folder = Path(sys.argv[1])
records = st.read_jsonl(folder / "test.jsonl", folder / "images").items
assert records.table.path.is_file()
task = st.Vqa.from_records(st.load_processor("vilt-tiny"), records)
model = st.load_model("vilt-tiny", task.model_class, **task.model_changes())
assert 0 <= st.evaluate(model, task, records).headline <= 1
assert peak_gib() is None
"""

_TABLE = """
from skiptune.data import record_table
from skiptune.data.record import Record
from skiptune.data.records import Records
record_table._IN_MEMORY = 0
records = Records.of([Record(Path("a.png"), "a question")])
print(len(records), records.table.path.parent, flush=True)
if sys.argv[1] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "wait":
    sys.stdin.read()
"""


def start(program: str, argument: str | Path, temporary: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _BLOCKED + program, str(argument)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_small_evaluation_from_a_mapped_table(data_folder: Path, tmp_path: Path) -> None:
    done = start(_EVALUATE, data_folder, tmp_path)
    _, said = done.communicate()
    assert done.returncode == 0, said
    assert list(tmp_path.glob("skiptune-*")) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills a process")
def test_folders_of_killed_processes_are_swept_and_of_living_ones_kept(tmp_path: Path) -> None:
    waiting = start(_TABLE, "wait", tmp_path)
    assert waiting.stdout is not None
    count, kept = waiting.stdout.readline().split()
    assert count == "1"
    killed = start(_TABLE, "die", tmp_path)
    said, _ = killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    left = Path(said.split()[1])
    assert list(left.glob("*.arrow"))
    ended = start(_TABLE, "end", tmp_path)
    ended.communicate()
    assert ended.returncode == 0
    assert not left.exists()
    assert list(Path(kept).glob("*.arrow"))
    waiting.communicate()
    assert waiting.returncode == 0
    assert list(tmp_path.iterdir()) == []
