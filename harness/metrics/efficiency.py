"""Efficiency: how early in the budget a solver's incumbent is good.

With B the budget in calls, S(c) the test score of the incumbent after c calls, and m the score of the
manual prompt on the same rows::

    efficiency = 1 / ln(B)  *  integral from c = 1 to B of  (S(c) - m) / (100 - m)  d ln(c)

So 0 is the manual prompt throughout, and 1 a perfect score at one call. S is a step function: before the
first incumbent it is m, and after the last it stays; an incumbent named before the first call counts from
one call on. An incumbent worse than the manual prompt counts negative.
"""

import math
from collections.abc import Iterable

__all__ = ["efficiency"]


def efficiency(incumbents: Iterable[tuple[int, float]], manual_score: float, budget_calls: int) -> float:
    """Return the efficiency of one run.

    Args:
        incumbents: (calls charged when it was named, test score 0-100), in any order; the later of two
            at the same number of calls counts.
        manual_score: m, 0 <= m < 100.
        budget_calls: B >= 2.

    Raises:
        ValueError: the manual prompt is perfect already, or a number is out of range.
    """
    if not 0.0 <= manual_score < 100.0 or budget_calls < 2:
        raise ValueError(f"manual score {manual_score} must be in [0, 100), budget {budget_calls} at least 2")
    steps = sorted(dict(incumbents).items())
    if any(not 0 <= calls <= budget_calls for calls, _ in steps):
        raise ValueError(f"incumbents at {[calls for calls, _ in steps]} calls; expected 0..{budget_calls}")
    ends = [calls for calls, _ in steps[1:]] + [budget_calls]
    area = 0.0
    for (start, score), end in zip(steps, ends, strict=False):
        gain = (score - manual_score) / (100.0 - manual_score)
        area += gain * math.log(max(end, 1) / max(start, 1))
    return area / math.log(budget_calls)
