"""Tiers: groups of entries whose totals do not differ clearly, given the draw of test rows and k-shot seeds.

The first entry of the ranking leads tier 1. A following entry stays in the current tier if it beats the
tier's leader in more than `ALPHA` of the paired replicates (an equal replicate counts half); otherwise it
leads the next tier. Entries are compared with the leader alone, so a chain of small steps cannot extend a
tier.

Tiers cover neither the solver's own randomness (see the round's noise floor) nor other tasks.
"""

from collections.abc import Sequence

import numpy as np

from harness.records import Array

__all__ = ["ALPHA", "tiers"]

ALPHA = 0.05


def tiers(replicates: Sequence[Array | None], alpha: float = ALPHA) -> list[int | None]:
    """Return the tier of every entry, from 1.

    Args:
        replicates: per entry, best total first, its paired bootstrap totals, float64 (R,), from
            `harness.metrics.bootstrap`; None for an entry without any, which has no tier.
        alpha: an entry stays in the tier if it reaches the leader in a larger share of replicates.
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
    # The order of summation changes the last bits of equal totals.
    gaps = np.round(own - leader, 9)
    return float((gaps > 0).mean() + 0.5 * (gaps == 0).mean())
