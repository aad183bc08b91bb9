"""Efficiency: how early in the budget a solver's incumbent is good.

With B the budget in calls, S(c) the test score of the incumbent after c calls, and m the score of the
manual prompt on the same rows::

    efficiency = 1 / ln(B)  *  integral from c = 1 to B of  (S(c) - m) / (100 - m)  d ln(c)

The manual prompt alone gives 0; a perfect score after one call gives 1. S is a step function: m before
the first incumbent, constant after the last. An incumbent named before the first call counts from one
call on. An incumbent worse than the manual prompt counts negative.
"""

import math
from collections.abc import Iterable

__all__ = ["efficiency"]


def efficiency(incumbents: Iterable[tuple[int, float]], manual_score: float, budget_calls: int) -> float:
    """Return the efficiency of one run.

    Args:
        incumbents: (calls charged when it was named, test score 0-100), in any order; of two at the same
            number of calls the later one counts.
        manual_score: m, 0 <= m < 100.
        budget_calls: B >= 2.

    Raises:
        ValueError: the manual prompt has a perfect score, or a number is out of range.
    """
    if not 0.0 <= manual_score < 100.0 or budget_calls < 2:
        raise ValueError(
            f"Efficiency: got manual score {manual_score} and budget {budget_calls}, expected [0, 100) and 2 or more"
        )
    steps = sorted(dict(incumbents).items())
    if any(not 0 <= calls <= budget_calls for calls, _ in steps):
        raise ValueError(
            f"Efficiency: got incumbents at {[calls for calls, _ in steps]} calls, expected 0..{budget_calls}"
        )
    ends = [calls for calls, _ in steps[1:]] + [budget_calls]
    area = 0.0
    for (start, score), end in zip(steps, ends, strict=False):
        gain = (score - manual_score) / (100.0 - manual_score)
        area += gain * math.log(max(end, 1) / max(start, 1))
    return area / math.log(budget_calls)
