"""Ranks of true pairs among all pairs, from scores that come in any order and are not stored."""

from __future__ import annotations

import numpy as np


class Ranks:
    """For each query, counts the wrong partners that score at least as high as its best true one, up to ``most``.

    Memory grows with queries, not with pairs: only the ``most`` highest scores of wrong partners are kept per query.

    Args:
        queries: number of queries.
        most: largest count.
    """

    def __init__(self, queries: int, most: int) -> None:
        self.most = most
        self.own = np.full(queries, -np.inf)
        self.others = np.full((queries, most), -np.inf)

    def add(self, place: slice, scores: np.ndarray, own: np.ndarray) -> None:
        """Add the scores of more pairs.

        Args:
            place: the queries.
            scores: of these queries with partners that are new to them, ``(queries, partners)``.
            own: whether the partner is a true one, the same shape.
        """
        self.own[place] = np.maximum(self.own[place], np.where(own, scores, -np.inf).max(axis=1))
        seen = np.concatenate((self.others[place], np.where(own, -np.inf, scores)), axis=1)
        self.others[place] = np.partition(seen, -self.most, axis=1)[:, -self.most :]

    def ahead(self) -> np.ndarray:
        """The counts ``(queries,)``. A tie counts against the true partner, and so does NaN."""
        counts: np.ndarray = (~(self.others < self.own[:, None])).sum(axis=1)
        return counts
