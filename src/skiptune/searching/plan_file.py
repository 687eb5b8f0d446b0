"""The plan of a run in its file, whose digest is kept beside it."""

from __future__ import annotations

from pathlib import Path

from ..core.digests import check_recorded, write_recorded_json
from ..plan import Plan


def save_plan(path: Path, plan: Plan) -> None:
    """Write a plan, whole or not at all."""
    write_recorded_json(path, plan.to_dict())


def load_plan(path: Path) -> Plan:
    """Read what :func:`save_plan` wrote.

    Raises:
        InputError: missing, truncated, edited or damaged file.
    """
    plan = Plan.load(path)
    check_recorded(path, "Remove it to search again.")
    return plan
