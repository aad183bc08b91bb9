"""The noise floor: how far totals lie apart when nothing but the solver's seed differs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

__all__ = ["NoiseFloor", "noise_floor"]


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """Totals of one solver repeated under other solver seeds.

    Attributes:
        n_repeats: how many totals.
        mean: of the totals, 0-100.
        std: their standard deviation (n - 1), in points.
        difference: 1.96 * sqrt(2) * std: a difference of two totals that chance alone passes in 5 % of
            cases, as far as the totals are normal.
    """

    n_repeats: int
    mean: float
    std: float
    difference: float


def noise_floor(totals: Sequence[float]) -> NoiseFloor:
    """Return the noise floor of repeated totals.

    Raises:
        ValueError: fewer than 2 totals have no spread.
    """
    if len(totals) < 2:
        raise ValueError(f"a noise floor needs 2 or more totals, got {len(totals)}")
    std = stdev(totals)
    return NoiseFloor(len(totals), fmean(totals), std, 1.96 * math.sqrt(2.0) * std)
