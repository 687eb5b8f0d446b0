"""Commands that are killed and run again until they end, and what they must leave."""

from __future__ import annotations

import hashlib
import json
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from killed_at import killed_at
from safetensors.torch import load_file
from torch import Tensor

from own_process import OwnProcess
from several_processes import told_ranks


@dataclass(frozen=True)
class Work:
    """A command and the folder that it fills."""

    arguments: tuple[str, ...]
    folder: Path

    def start(self, when: str, ranks: int = 1, victim: int = 0) -> list[OwnProcess]:
        """The processes of the command; the process ``victim`` of them is killed where ``when`` says."""
        jobs = told_ranks(ranks) if ranks > 1 else [{}]
        return [
            OwnProcess(killed_at, when if rank == victim else "0", str(self.folder.parent), self.arguments,
                       environment=job)
            for rank, job in enumerate(jobs)
        ]  # fmt: skip

    def run(self, when: str = "0", ranks: int = 1, victim: int = 0) -> Ended:
        """Run the command until all its processes have ended."""
        ended = [process.ended() for process in self.start(when, ranks, victim)]
        return Ended([each.returncode for each in ended], [each.stderr for each in ended], victim)


@dataclass(frozen=True)
class Ended:
    """How the processes of a command ended: exit codes and standard error."""

    codes: list[int]
    said: list[str]
    victim: int

    @property
    def killed(self) -> bool:
        return self.codes[self.victim] == -signal.SIGKILL

    @property
    def changes(self) -> int:
        """Number of changes of files that the process made which could have been killed."""
        return int(self.said[self.victim].splitlines()[-1])

    def check(self) -> None:
        """It ended well, or was killed; whatever it said is no traceback."""
        text = "\n".join(self.said)
        if not self.killed:
            assert not any(self.codes), text
        # the peers of a killed process end with a sentence, or with what the communication library prints
        assert self.killed or "Traceback" not in text, text


def run_through_kills(work: Work, kills: Sequence[str], ranks: Sequence[int] = (), victims: Sequence[int] = ()) -> int:
    """Kill ``work`` at each of ``kills`` in turn, going on after each, then let it end; returns the kills that fell
    before its end.

    Args:
        work: the command.
        kills: where each of the processes in turn is killed, see ``killed_at.py``.
        ranks: how many processes share each; 1 where not given.
        victims: which of them is killed; the first where not given.
    """
    fell = 0
    for number, when in enumerate(kills):
        several = ranks[number] if number < len(ranks) else 1
        ended = work.run(when, several, victims[number] if number < len(victims) else 0)
        ended.check()
        fell += ended.killed
        if not ended.killed:
            break
    work.run().check()
    return fell


def left_behind(folder: Path) -> dict[str, Any]:
    """What a finished run holds that does not depend on time: plan, weights, measures and answers."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    return {
        "skipped": plan["skipped"],
        "preferences": plan["preferences"],
        "metric": results["metric"],
        "baselines": {name: (row["validation"], row["test"]) for name, row in results["baselines"].items()},
        "trained": tensors(folder / "trained.safetensors"),
        "slim": tensors(folder / "slim" / "slim.safetensors"),
        "card": _without_times((folder / "slim" / "README.md").read_text(encoding="utf-8")),
    }


def _without_times(card: str) -> str:
    """A model card without its numbers, and without what it says of times."""
    timed = (" ms", "do not trust", "too few", "no difference measured")
    # without empty lines too: one stands beside every sentence that is left out
    lines = (line for line in card.splitlines() if line and not any(word in line for word in timed))
    return re.sub(r"[-+−]?\d[\d.,]*", "#", "\n".join(lines))


def tensors(path: Path) -> dict[str, bytes]:
    """The bits of every tensor of a file."""
    return {name: _bits(value) for name, value in load_file(path).items()}


def _bits(value: Tensor) -> bytes:
    return value.contiguous().flatten().view(torch.uint8).numpy().tobytes() if value.numel() else b""


def digests(folder: Path) -> dict[str, str]:
    """Of every file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def litter(folder: Path) -> list[Path]:
    """Temporary files and directories that a finished command should have removed."""
    return [path for path in folder.parent.rglob("*") if path.suffix in (".tmp", ".old", ".partial")]
