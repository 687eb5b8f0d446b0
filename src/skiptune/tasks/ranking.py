"""Ranks of true pairs among all pairs, from scores that come in any order and are not kept."""

from __future__ import annotations

import numpy as np


class Ranks:
    """How many partners that are not a query's own score at least as high as its best own one, up to ``most``.

    Memory grows with queries, not with pairs: of the scores of others only the ``most`` highest a query are kept.

    Args:
        queries: how many there are.
        most: what is counted up to.
    """

    def __init__(self, queries: int, most: int) -> None:
        self.most = most
        self.own = np.full(queries, -np.inf)
        self.others = np.full((queries, most), -np.inf)

    def add(self, place: slice, scores: np.ndarray, own: np.ndarray) -> None:
        """Take note of more pairs.

        Args:
            place: the queries.
            scores: of each with some partners it was not compared with yet, ``(queries, partners)``.
            own: whether the partner is the query's own, the same shape.
        """
        self.own[place] = np.maximum(self.own[place], np.where(own, scores, -np.inf).max(axis=1))
        seen = np.concatenate((self.others[place], np.where(own, -np.inf, scores)), axis=1)
        self.others[place] = np.partition(seen, -self.most, axis=1)[:, -self.most :]

    def ahead(self) -> np.ndarray:
        """The counts ``(queries,)``. A tie counts against the own partner, and so does a score that is no number."""
        counts: np.ndarray = (~(self.others < self.own[:, None])).sum(axis=1)
        return counts
