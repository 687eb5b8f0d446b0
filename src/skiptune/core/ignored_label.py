"""The label that losses leave out."""

from __future__ import annotations

#: PyTorch's default ``ignore_index``; marks tokens that are not learnt, and rows that have no label for matching.
IGNORED = -100
