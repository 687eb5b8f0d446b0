"""The way of a new user, timed: 300 questions of their own, ``skiptune init``, ``run`` and ``predict``.

    python benchmarks/first_hour.py [--output FILE] [--install]

In a new directory, each command is a process of its own, typed as the start page says; Python and the library are
installed already. ``--install`` starts with an environment of its own and ``pip install`` of this checkout, which
downloads PyTorch, and times that too. The questions are of 100 pictures of easy-VQA, three each, as JSON lines beside a
folder of pictures. The load of the machine before the start is recorded; timings on a busy one mean little.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import easy_vqa

from skiptune.core.files import write_json
from skiptune.core.process import versions

ROOT = Path(__file__).parents[1]
NAME, PICTURES, QUESTIONS_EACH = "my-questions", 100, 3
#: What is to be reached.
MOST_COMMANDS, MOST_SECONDS = 6, 300


def write_questions(folder: Path) -> str:
    """Write 300 questions on 100 pictures; returns the path of one of the pictures and a question."""
    (folder / "pictures").mkdir(parents=True)
    questions, answers, images = easy_vqa.get_train_questions()
    paths, rows = easy_vqa.get_train_image_paths(), list[dict[str, str]]()
    counts: dict[int, int] = {}
    for question, answer, image in zip(questions, answers, images, strict=True):
        counts.setdefault(image, 0)
        if len(counts) > PICTURES or counts[image] == QUESTIONS_EACH:
            continue
        counts[image] += 1
        shutil.copyfile(paths[image], folder / "pictures" / f"{image}.png")
        rows.append({"image": f"{image}.png", "question": question, "answer": answer})
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return f"{folder.name}/pictures/{rows[0]['image']}"


def commands(picture: str, python: str, install: bool) -> list[list[str]]:
    """What is typed, in order."""
    skiptune = [python, "-m", "skiptune"]
    first = [[sys.executable, "-m", "venv", "env"], [python, "-m", "pip", "install", "--quiet", str(ROOT)]]
    return [
        *(first if install else []),
        [*skiptune, "init", NAME],
        [*skiptune, "run", "recipe.yaml"],
        [*skiptune, "predict", f"runs/{NAME}", picture, "what color is the shape?"],
    ]


def timed(command: list[str], folder: Path) -> dict[str, Any]:
    """Run a command in ``folder``; what was typed, its seconds and the last lines that it printed."""
    own = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT / "src")}
    if command[0] != sys.executable:
        own.pop("PYTHONPATH")
    started, before = time.perf_counter(), os.times()
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True)
    seconds, after = time.perf_counter() - started, os.times()
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)}:\n{done.stdout}{done.stderr}")
    used = after.children_user - before.children_user + after.children_system - before.children_system
    typed = shlex.join(["skiptune", *command[3:]] if command[1:3] == ["-m", "skiptune"] else ["python", *command[1:]])
    print(f"{seconds:7.1f} s  {typed}", flush=True)
    return {"command": typed, "seconds": seconds, "processor_seconds": used, "said": done.stdout.splitlines()[-12:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "first_hour.json")
    parser.add_argument("--install", action="store_true", help="with an environment of its own")
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        picture = write_questions(folder / NAME)
        place = Path("env") / ("Scripts" if os.name == "nt" else "bin") / "python"
        python = str(folder / place) if options.install else sys.executable
        rows = [timed(command, folder) for command in commands(picture, python, options.install)]
        results = json.loads((folder / "runs" / NAME / "results.json").read_text(encoding="utf-8"))
    total = sum(row["seconds"] for row in rows)
    command = shlex.join(["python", "benchmarks/first_hour.py", *sys.argv[1:]])
    about = {"command": command, "cores": os.cpu_count(), "load_average": load, "versions": versions()}
    measured = {"metric": results["metric"], "records": results["records"], "relative_macs": results["relative_macs"]}
    limits = {"most_commands": MOST_COMMANDS, "most_seconds": MOST_SECONDS}
    summary = {"commands": len(rows), "seconds": total, "installation_included": options.install, **limits}
    write_json(options.output, {**summary, "steps": rows, **measured, **about})
    reached = len(rows) <= MOST_COMMANDS and total <= MOST_SECONDS
    print(f"{total:7.1f} s in {len(rows)} commands: {'reached' if reached else 'not reached'}")


if __name__ == "__main__":
    main()
