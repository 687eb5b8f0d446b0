"""What version 0.3 wrote, see ``fixtures/0.3/README.md``, copied to where a test may change it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures" / "0.3"


def copied_to(folder: Path) -> Path:
    """``folder/0.3`` with all fixtures, their paths leading into it."""
    here = shutil.copytree(FIXTURES, folder / "0.3")
    for path in here.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("{here}", here.as_posix()), encoding="utf-8")
    return here


def expected(name: str) -> dict[str, Any]:
    """What 0.3 answered with the slim model ``name``: of ``predict``, and of ``evaluate`` where that was recorded."""
    found: dict[str, Any] = json.loads((FIXTURES / "expected.json").read_text(encoding="utf-8"))[name]
    return found
