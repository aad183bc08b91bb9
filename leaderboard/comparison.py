"""Paired differences between submissions: pure functions of scores per task and k-shot seed.

Pairs are runs on the same k-shot examples. The interval is Student's t over seeds; it does not cover the
sampling of test rows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from scipy import stats

__all__ = ["ALL_TASKS", "Difference", "paired_differences"]

ALL_TASKS = "All tasks"

SeedScores = Mapping[str, Mapping[int, float | None]]
"""Task -> k-shot seed -> score."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Paired difference between two submissions on a task, in points.

    Attributes:
        series: the submission.
        task: the task, or `ALL_TASKS`.
        mean: mean difference over the seeds that both have; None without any.
        low: lower end of the 95 % interval; None with fewer than two seeds.
        high: upper end.
        n_pairs: number of seeds that both have.
    """

    series: str
    task: str
    mean: float | None
    low: float | None
    high: float | None
    n_pairs: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def paired_differences(series: str, scores: SeedScores, other: SeedScores, tasks: Sequence[str]) -> list[Difference]:
    """Return the differences to `other` per task, and over all tasks if every task has a pair."""
    pairs = {task: _pairs(scores.get(task, {}), other.get(task, {})) for task in tasks}
    found = [_of_task(series, task, pairs[task]) for task in tasks]
    if tasks and all(pairs.values()):
        found.append(_over_tasks(series, list(pairs.values())))
    return found


def _pairs(scores: Mapping[int, float | None], other: Mapping[int, float | None]) -> list[float]:
    return [
        score - base for seed, score in scores.items() if score is not None and (base := other.get(seed)) is not None
    ]


def _of_task(series: str, task: str, differences: list[float]) -> Difference:
    if not differences:
        return Difference(series, task, None, None, None, 0)
    mean, n_pairs = fmean(differences), len(differences)
    if n_pairs < 2:
        return Difference(series, task, mean, None, None, n_pairs)
    half = float(stats.t.ppf(0.975, n_pairs - 1)) * math.sqrt(variance(differences) / n_pairs)
    return Difference(series, task, mean, mean - half, mean + half, n_pairs)


def _over_tasks(series: str, per_task: list[list[float]]) -> Difference:
    """Combine tasks as strata: variances add up; degrees of freedom by the Welch-Satterthwaite formula."""
    mean, n_pairs = fmean(map(fmean, per_task)), sum(map(len, per_task))
    if any(len(differences) < 2 for differences in per_task):
        return Difference(series, ALL_TASKS, mean, None, None, n_pairs)
    errors = [variance(differences) / len(differences) / len(per_task) ** 2 for differences in per_task]
    total = sum(errors)
    if total == 0.0:
        return Difference(series, ALL_TASKS, mean, mean, mean, n_pairs)
    freedom = total**2 / sum(
        error**2 / (len(differences) - 1) for error, differences in zip(errors, per_task, strict=True)
    )
    half = float(stats.t.ppf(0.975, freedom)) * math.sqrt(total)
    return Difference(series, ALL_TASKS, mean, mean - half, mean + half, n_pairs)
