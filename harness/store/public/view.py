"""What everybody may see of a round at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.metrics.ranking import mean_of_seeds
from harness.records import Phase
from harness.store.sealed.schema import RoundRow, RunRow, SubmissionRow, UploadRow

__all__ = ["View", "counting_score", "view_of"]


@dataclass(frozen=True, slots=True)
class View:
    """What everybody may see of a round at a moment.

    Attributes:
        phase: by the clock.
        is_final: the scores shown are those on the private rows.
        has_scores: scores are visible.
        has_curves: test scores of incumbents and confusion matrices are visible.
        has_logs: texts of the participants' processes are visible.
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
        """Return whether the board was frozen before a submission ended."""
        return self.frozen_at is not None and (row.finished_at is None or row.finished_at > self.frozen_at)

    def hides_upload(self, row: UploadRow) -> bool:
        """Return whether the scores of a prediction upload are hidden, as those of a solver would be."""
        return not self.has_scores or (self.frozen_at is not None and row.created_at > self.frozen_at)


def view_of(row: RoundRow, now: datetime, manual: SubmissionRow | None = None) -> View:
    """Return what everybody may see of a round now.

    Args:
        row: the round.
        now: aware.
        manual: the round's finished manual prompt, if there is one.
    """
    phase = row.phase_at(now)
    is_final = phase is Phase.PUBLISHED
    scores: dict[str, float | None] = {}
    for task in row.config.task if manual is not None else ():
        runs = [run for run in manual.runs if run.task == task.name] if manual is not None else []
        has_private_rows = task.has_private_rows
        scores[task.name] = mean_of_seeds(
            [counting_score(run, is_final=is_final, has_private_rows=has_private_rows) for run in runs]
        )
    return View(
        phase=phase,
        is_final=is_final,
        has_scores=phase.has_reached(row.config.scores_from),
        has_curves=phase.has_reached(row.config.curves_from),
        has_logs=phase.has_reached(row.config.logs_from),
        frozen_at=row.frozen_at,
        manual_scores={name: score for name, score in scores.items() if score is not None},
    )


def counting_score(run: RunRow, *, is_final: bool, has_private_rows: bool) -> float | None:
    """Return the score that counts: the private one only after publication."""
    return run.score_private if is_final and has_private_rows else run.score_public
