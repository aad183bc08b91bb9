"""Curves on a fixed logarithmic grid of calls, so that they can be compared and stay small."""

import math
from collections.abc import Iterable, Sequence

__all__ = ["GRID_POINTS", "best_so_far", "log_grid"]

GRID_POINTS = 48


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
