"""Tiers: which differences of totals are more than the luck of test rows and k-shot seeds.

Walking down the ranking, the first entry leads tier 1. An entry stays in the current tier while it
would have beaten, or equalled, the tier's leader in more than `ALPHA` of the paired replicates (an equal
replicate counts half); the first entry that would not leads the next tier. Each comparison is with the
leader alone, so that a long chain of small steps cannot hold one tier together.

What a tier does not cover: the solver's own randomness (see the round's noise floor) and other tasks.
"""

from collections.abc import Sequence

import numpy as np

from harness.records import Array

__all__ = ["ALPHA", "tiers"]

ALPHA = 0.05


def tiers(replicates: Sequence[Array | None], alpha: float = ALPHA) -> list[int | None]:
    """Return the tier of every entry, from 1.

    Args:
        replicates: per entry, best total first, its paired bootstrap totals (R,) from
            `harness.metrics.bootstrap`; None for an entry without a total, which has no tier.
        alpha: share of replicates in which an entry must reach the leader to stay in its tier.
    """
    found: list[int | None] = []
    tier = 0
    leader: Array | None = None
    for own in replicates:
        if own is None:
            found.append(None)
            continue
        if leader is None or _chance_to_reach(own, leader) <= alpha:
            tier += 1
            leader = own
        found.append(tier)
    return found


def _chance_to_reach(own: Array, leader: Array) -> float:
    # Replicates are sums in one order per entry: equal predictions may differ in the last bits.
    gaps = np.round(own - leader, 9)
    return float((gaps > 0).mean() + 0.5 * (gaps == 0).mean())
