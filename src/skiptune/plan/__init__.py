"""A plan: the skipped blocks of a model; its report: how the search found it."""

from __future__ import annotations

from .plan import Plan, check_skipped
from .search_report import Certainty, Comparisons, LoggedLoss, Nested, Round, Savings, SearchReport
from .token_schedule import TokenSchedule

__all__ = [
    "Certainty",
    "Comparisons",
    "LoggedLoss",
    "Nested",
    "Plan",
    "Round",
    "Savings",
    "SearchReport",
    "TokenSchedule",
    "check_skipped",
]
