"""Processor time that commands take from their start to their end: what they import, mostly.

    python benchmarks/startup.py [--rounds 7] [--before PATH/src]

Every measurement is a process of its own; its processor time, of user and system together, depends less than the clock
on what else the machine does. Commands take turns round by round, so that all of them see the same machine, and files
are in the page cache. ``import torch`` is what no answer of a model can go below. ``--before`` is the source folder of
another version, e.g. of ``git worktree add ../before COMMIT``, measured in the same rounds.

The question is put to the slim model of a run of version 0.3, a ViLT of the tests.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from skiptune.core.files import write_json
from skiptune.core.process import versions

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "tests" / "fixtures" / "0.3"
COMMAND = ("-m", "skiptune.cli")
#: What is measured → the arguments of Python, and the most seconds that it is to take.
MEASURED: dict[str, tuple[tuple[str, ...], float | None]] = {
    "import torch": (("-c", "import torch"), None),
    "help": ((*COMMAND, "--help"), 0.3),
    "models": ((*COMMAND, "models"), 1.0),
    "refused recipe": ((*COMMAND, "run", "easy-vqa-demo", "--set", "train.epohcs=3"), 1.0),
    "predict": (
        (*COMMAND, "predict", str(FIXTURES / "run"), str(FIXTURES / "data" / "images" / "0.png"), "what colour is it?"),
        2.5,
    ),
}


def processor_time(arguments: Sequence[str], source: Path) -> float:
    """Seconds of processor time of one Python process, whose exit code may be 2, for wrong input."""
    environment = {**os.environ, "PYTHONPATH": str(source), "HF_HUB_OFFLINE": "1"}
    before = os.times()
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    after = os.times()
    if done.returncode not in (0, 2):
        raise SystemExit(f"{shlex.join(arguments)}:\n{done.stderr}")
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--before", type=Path, help="source folder of another version")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "startup.json")
    options = parser.parse_args()
    sources = {"now": ROOT / "src", **({"before": options.before.resolve()} if options.before else {})}
    cases = [(name, version) for name in MEASURED for version in sources]
    seconds: dict[tuple[str, str], list[float]] = {case: [] for case in cases}
    for turn in range(options.rounds + 1):  # the first round fills the page cache and is not counted
        for name, version in cases:
            taken = processor_time(MEASURED[name][0], sources[version])
            if turn:
                seconds[name, version].append(taken)
    rows = [
        {
            "measured": name,
            "version": version,
            "most_s": MEASURED[name][1],
            "median_s": median(taken),
            "least_s": min(taken),
            "highest_s": max(taken),
        }
        for (name, version), taken in seconds.items()
    ]
    command = shlex.join(["python", "benchmarks/startup.py", *sys.argv[1:]])
    about = {"command": command, "cores": os.cpu_count(), "load_average": os.getloadavg()[0], "versions": versions()}
    write_json(options.output, {"rows": rows, "rounds": options.rounds, **about})
    for row in rows:
        most = "" if row["most_s"] is None else f"  at most {row['most_s']} s"
        print(
            f"{row['measured']:<16}{row['version']:<8}{row['median_s']:6.2f} s "
            f"({row['least_s']:.2f} to {row['highest_s']:.2f}){most}"
        )


if __name__ == "__main__":
    main()
