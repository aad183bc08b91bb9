"""The noise floor: the spread of a solver's totals over solver seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

__all__ = ["NoiseFloor", "noise_floor"]


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """Spread of the totals of one solver, repeated with other solver seeds.

    Attributes:
        n_repeats: number of totals.
        mean: of the totals, 0-100.
        std: their standard deviation (n - 1), in points.
        difference: 1.96 * sqrt(2) * std: chance alone gives a larger difference of two totals in 5 % of
            cases, if totals are normally distributed.
    """

    n_repeats: int
    mean: float
    std: float
    difference: float


def noise_floor(totals: Sequence[float]) -> NoiseFloor:
    """Return the noise floor of repeated totals.

    Raises:
        ValueError: there are fewer than 2 totals.
    """
    if len(totals) < 2:
        raise ValueError(f"Noise floor: got {len(totals)} totals, expected 2 or more")
    std = stdev(totals)
    return NoiseFloor(len(totals), fmean(totals), std, 1.96 * math.sqrt(2.0) * std)
