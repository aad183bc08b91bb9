"""Which entries no other one beats on both score and calls."""

from collections.abc import Sequence

from harness.metrics.ranking import TOTAL_DECIMALS

__all__ = ["pareto_front"]


def pareto_front(points: Sequence[tuple[float, int] | None]) -> list[bool]:
    """Say of every entry whether it is on the frontier of score (up) and calls (down).

    An entry is off it if another one is at least as good on both and better on one; so equal entries
    are on it together.

    Args:
        points: per entry (total 0-100, charged calls); None for one without a total, never on it.
    """
    rounded = [None if point is None else (round(point[0], TOTAL_DECIMALS), point[1]) for point in points]
    # By rising calls, best score first among equals: an entry is beaten if an earlier one scores as much.
    order = sorted({point for point in rounded if point is not None}, key=lambda point: (point[1], -point[0]))
    front: set[tuple[float, int]] = set()
    best = float("-inf")
    for point in order:
        if point[0] > best:
            front.add(point)
            best = point[0]
    return [point is not None and point in front for point in rounded]
