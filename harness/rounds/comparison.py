"""Comparison of the baselines: method x task over k-shot seeds, on all test rows.

For the organizer only: public and private rows are scored together, so it must stay hidden while the labels
of a round are sealed.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev

import numpy as np
from scipy.stats import t as student

from harness.config import RoundConfig
from harness.metrics.official import score
from harness.session.artifact import read_artifact
from harness.store.paths import ArenaPaths
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import list_submissions
from harness.tasks import load_task_data

__all__ = ["Comparison", "MethodRow", "compare", "mean_interval"]

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class MethodRow:
    """Results of a baseline or a gradient reference.

    Attributes:
        name: the solver's name.
        scores: task -> scores 0-100 on all test rows, in the order of the task's k-shot seeds.
        calls: charged calls per run, mean; None for a gradient reference, or if no run ended.
        engine_s: seconds of forward computation per run, mean; None as for `calls`.
        wall_s: seconds per run, mean; None if no run ended.
        failures: runs that ended without a score, as "task seed: verdict".
    """

    name: str
    scores: Mapping[str, Sequence[float]]
    calls: float | None
    engine_s: float | None
    wall_s: float | None
    failures: Sequence[str] = ()

    @property
    def total(self) -> float | None:
        """Mean over tasks of the mean over their k-shot seeds; None if a run has no score."""
        return None if self.failures or not self.scores else fmean(map(fmean, self.scores.values()))

    @property
    def interval(self) -> tuple[float, float, float] | None:
        """`mean_interval` of the means over tasks, one per k-shot seed (by its place in each task's list).

        None if the tasks differ in their number of seeds, or have only one.
        """
        n_seeds = {len(values) for values in self.scores.values()}
        if self.total is None or len(n_seeds) > 1 or min(n_seeds) < 2:
            return None
        return mean_interval([fmean(values) for values in zip(*self.scores.values(), strict=True)])


class Comparison:
    """The rows, best first, with the names of the tasks."""

    def __init__(self, tasks: Iterable[str], rows: Iterable[MethodRow]) -> None:
        """Sort the rows by total, best first; rows without a total come last."""
        self.tasks = tuple(tasks)
        self.rows = tuple(sorted(rows, key=lambda row: (math.inf if row.total is None else -row.total, row.name)))

    def as_json(self) -> list[dict[str, object]]:
        """Return the rows as plain JSON values."""
        return [asdict(row) | {"total": row.total, "interval": row.interval} for row in self.rows]

    def markdown(self) -> str:
        """Return the table in Markdown: mean ± standard deviation, the mean with its 95 % interval."""
        lines = [
            "| method | " + " | ".join(self.tasks) + " | mean [95 %] | calls | seconds |",
            "|---|" + "---|" * (len(self.tasks) + 3),
        ]
        lines += ["| " + " | ".join(cells) + " |" for cells in map(self.cells, self.rows)]
        return "\n".join(lines)

    def cells(self, row: MethodRow) -> list[str]:
        """Return the cells of a row as text."""
        return [
            row.name,
            *(_mean_and_spread(row.scores.get(task, ())) for task in self.tasks),
            _total_text(row),
            "-" if row.calls is None else f"{row.calls:.0f}",
            "-" if row.wall_s is None else f"{row.wall_s:.1f}",
        ]


def compare(store: SealedStore, paths: ArenaPaths, config: RoundConfig) -> Comparison:
    """Collect the newest submission of every baseline in a round.

    Raises:
        DataError: an artifact or the round's data cannot be read.
    """
    labels = {task.name: load_task_data(task, seeds=()).test.labels for task in config.task}
    with store.read() as tx:
        found = list_submissions(tx, find_round(tx, config.name, config.version))
    newest = {item.name: item for item in found if item.is_baseline}
    rows = []
    for item in newest.values():
        scores: dict[str, list[float]] = {task.name: [] for task in config.task}
        failures, artifacts = [], []
        for run in item.runs:
            if run.summary is None:
                failures.append(f"{run.task} {run.kshot_seed}: {run.status.value}")
                continue
            artifact = read_artifact(paths.artifacts / run.summary.artifact_path)
            artifacts.append(artifact)
            task = config.task_named(run.task)
            if artifact.predictions is None or task is None:
                failures.append(f"{run.task} {run.kshot_seed}: {artifact.verdict.value}")
                continue
            predictions = np.asarray(artifact.predictions, dtype=np.int64)
            scores[run.task].append(score(task.metric, labels[run.task], predictions, len(task.label_names)))
        if artifacts or failures:
            rows.append(
                MethodRow(
                    name=item.name,
                    scores={name: values for name, values in scores.items() if values},
                    calls=_mean([artifact.usage.calls for artifact in artifacts]),
                    engine_s=_mean([artifact.usage.engine_s for artifact in artifacts]),
                    wall_s=_mean([artifact.wall_s for artifact in artifacts]),
                    failures=tuple(failures),
                )
            )
    return Comparison((task.name for task in config.task), rows)


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return mean, lower and upper end of Student's 95 % interval of the mean; needs at least two values.

    Raises:
        ValueError: fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"an interval needs two values or more, got {len(values)}")
    mean = fmean(values)
    half = float(student.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _mean_and_spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{fmean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def _total_text(row: MethodRow) -> str:
    if row.total is None:
        return "; ".join(row.failures) or "-"
    if row.interval is None:
        return f"{row.total:.1f}"
    _, low, high = row.interval
    return f"{row.total:.1f} [{low:.1f}, {high:.1f}]"
