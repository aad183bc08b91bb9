"""What everybody may see of a round at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.metrics.ranking import mean_of_seeds
from harness.records import Phase, phase_at
from harness.store.sealed_schema import RoundRow, RunRow, SubmissionRow, UploadRow

__all__ = ["View", "score_that_counts", "view_of"]


@dataclass(frozen=True, slots=True)
class View:
    """What everybody may see of a round at a moment.

    Attributes:
        phase: by the clock.
        is_final: the scores shown are those on the private rows.
        has_scores: scores may be seen at all.
        has_curves: so may the test scores of incumbents, and which class is taken for which.
        has_logs: so may texts of the participants' processes.
        frozen_at: what ended later stays hidden; None if the board is not frozen.
        manual_scores: task -> score of the manual prompt, where it is known: the zero of efficiency.
    """

    phase: Phase
    is_final: bool
    has_scores: bool
    has_curves: bool
    has_logs: bool
    frozen_at: datetime | None
    manual_scores: Mapping[str, float]

    def hides(self, row: SubmissionRow) -> bool:
        """Say whether the board was frozen before a submission ended."""
        return self.frozen_at is not None and (row.finished_at is None or row.finished_at > self.frozen_at)

    def hides_upload(self, row: UploadRow) -> bool:
        """Say whether the scores of uploaded predictions may not be seen: they follow those of solvers."""
        return not self.has_scores or (self.frozen_at is not None and row.created_at > self.frozen_at)


def view_of(row: RoundRow, now: datetime, manual: SubmissionRow | None = None) -> View:
    """Return what everybody may see of a round now.

    Args:
        row: the round.
        now: aware.
        manual: the round's finished manual prompt, if there is one.
    """
    phase = phase_at(row.phase, row.opens, row.closes, now)
    is_final = phase is Phase.PUBLISHED
    scores: dict[str, float | None] = {}
    if manual is not None:
        for task in row.tasks:
            runs = [run for run in manual.runs if run.task_id == task.id]
            scores[task.name] = mean_of_seeds([score_that_counts(run, is_final=is_final) for run in runs])
    return View(
        phase=phase,
        is_final=is_final,
        has_scores=phase.has_reached(row.scores_from),
        has_curves=phase.has_reached(row.curves_from),
        has_logs=phase.has_reached(row.logs_from),
        frozen_at=row.frozen_at,
        manual_scores={name: score for name, score in scores.items() if score is not None},
    )


def score_that_counts(run: RunRow, *, is_final: bool) -> float | None:
    """Return the score that counts: the private one after publication alone."""
    return run.score_private if is_final and run.task.has_private_rows else run.score_public
