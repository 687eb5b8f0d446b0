"""Reduced-rank ridge regression from second moments (Izenman, 1975)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_RIDGE = 1e-3  # of the mean variance of u
_NEGLIGIBLE = 1e-10  # a direction that explains less than this share of the best one is left out


@dataclass(frozen=True)
class LinearMap:
    """``r ≈ mean_r + up · down · (u − mean_u)``.

    Attributes:
        down: ``(rank, width)``.
        up: ``(width, rank)``, orthonormal columns.
        offset: ``mean_r − up · down · mean_u``, ``(width,)``; zeros for a regression through zero.
        error: ``‖r − fit‖ / ‖r‖`` over all tokens it was fitted to.
    """

    down: Tensor
    up: Tensor
    offset: Tensor
    error: float


def ridge_solution(uu: Tensor, ur: Tensor, ridge: float) -> Tensor:
    """The ridge regression of ``r`` on ``u``, ``r ≈ solutionᵀ · u``, ``(width, width)``, from their second moments.

    ``ridge`` is a share of the mean square of ``u``.
    """
    # at least the smallest positive number, so that constant streams have a solution too
    added = max(ridge * float(uu.diagonal().mean()), torch.finfo(torch.float64).tiny)
    found: Tensor = torch.linalg.solve(uu + added * torch.eye(len(uu), dtype=uu.dtype, device=uu.device), ur)
    return found


class Moments:
    """Sums over tokens of ``u``, ``r`` and their products, ``(width, width)`` in float64; no token is kept."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.count = 0
        self.u, self.r = torch.zeros(2, width, dtype=torch.float64, device=device)
        self.uu, self.ur = torch.zeros(2, width, width, dtype=torch.float64, device=device)
        self.rr = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, u: Tensor, r: Tensor) -> None:
        """More tokens, ``(tokens, width)`` both."""
        u, r = u.double(), r.double()
        self.count += len(u)
        self.u += u.sum(0)
        self.r += r.sum(0)
        self.uu += u.T @ u
        self.ur += u.T @ r
        self.rr += r.square().sum()

    def regress(self, rank: int, offset: bool = True) -> LinearMap:
        """The ridge regression of ``r`` on ``u``, cut down to the ``rank`` directions that explain most of ``r``.

        Without ``offset`` it goes through zero: both means are taken for zero.
        """
        mean_u, mean_r = (self.u / self.count, self.r / self.count) if offset else torch.zeros_like(self.uu[:2])
        power = self.rr / self.count
        uu = self.uu / self.count - mean_u.outer(mean_u)
        ur = self.ur / self.count - mean_u.outer(mean_r)
        full = ridge_solution(uu, ur, _RIDGE)
        explained = ur.T @ full
        strength, directions = torch.linalg.eigh((explained + explained.T) / 2)
        keep = min(rank, int((strength > _NEGLIGIBLE * strength[-1].clamp(min=0)).sum()))
        up = directions.flip(1)[:, :keep]
        down = full @ up
        left = power - mean_r.square().sum() - 2 * (up * (ur.T @ down)).sum() + (down * (uu @ down)).sum()
        error = float((left.clamp(min=0) / power).sqrt()) if power > 0 else 0.0
        return LinearMap(down.T, up, mean_r - up @ (down.T @ mean_u), error)
