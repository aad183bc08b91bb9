"""Curves on a fixed logarithmic grid of calls, so that they can be compared and stay small."""

import math
from collections.abc import Iterable, Sequence

__all__ = ["GRID_POINTS", "SPARKLINE_POINTS", "best_so_far", "log_grid", "mean_curve"]

GRID_POINTS = 48
SPARKLINE_POINTS = 16


def log_grid(budget_calls: int, n_points: int = GRID_POINTS) -> list[int]:
    """Return at most `n_points` distinct call counts from 1 to `budget_calls`, evenly spaced in the log.

    Args:
        budget_calls: >= 1.
        n_points: >= 2.
    """
    step = math.log(budget_calls) / (n_points - 1)
    return sorted({round(math.exp(step * point)) for point in range(n_points)} | {budget_calls})


def best_so_far(points: Iterable[Sequence[float]], grid: Sequence[int]) -> list[float | None]:
    """Return, for each call count of the grid, the lowest loss seen up to it; None before the first.

    Args:
        points: (calls charged, loss), in any order. A loss that is not finite is no loss.
        grid: rising call counts.
    """
    rising = sorted((calls, loss) for calls, loss in points if math.isfinite(loss))
    best: float | None = None
    curve: list[float | None] = []
    next_point = 0
    for calls in grid:
        while next_point < len(rising) and rising[next_point][0] <= calls:
            loss = rising[next_point][1]
            best = loss if best is None else min(best, loss)
            next_point += 1
        curve.append(best)
    return curve


def mean_curve(runs: Iterable[tuple[Iterable[Sequence[float]], int]]) -> list[float]:
    """Return the mean over runs of the best loss so far, on `SPARKLINE_POINTS` shares of the budget.

    The shares are evenly spaced in the log, and the same for every budget. Points before every run has
    a loss are left out: a mean over the quick ones alone would jump.

    Args:
        runs: (points of the run as for `best_so_far`, its budget in calls).
    """
    curves = []
    for points, budget_calls in runs:
        step = math.log(budget_calls) / (SPARKLINE_POINTS - 1)
        curves.append(best_so_far(points, [round(math.exp(step * point)) for point in range(SPARKLINE_POINTS)]))
    means = []
    for losses in zip(*curves, strict=True):
        present = [loss for loss in losses if loss is not None]
        if len(present) == len(losses):
            means.append(round(sum(present) / len(present), 4))
    return means
