"""A team's own scores, which a round may show it before the board shows them to everybody."""

from collections.abc import Mapping

from harness.errors import UsageError
from harness.rounds.lifecycle import stored_config
from harness.store import Phase, SealedStore
from harness.store.writer import utc_now

__all__ = ["read_own_scores"]


def read_own_scores(store: SealedStore, submission_id: int) -> Mapping[int, float | None]:
    """Return the score of each run on the public rows, by run number; None where there is none.

    Who asks must have been authenticated as the submission's team. A frozen board does not hide a
    team's own scores from it.

    Raises:
        NotFound: there is no such submission.
        UsageError: the round does not show them yet.
    """
    submission = store.get_submission(submission_id)
    stored = store.get_round(submission.round_name, submission.round_version)
    visibility = stored_config(stored).visibility
    shown_from = Phase(visibility.own_scores or visibility.scores)
    if not stored.phase_at(utc_now()).has_reached(shown_from):
        raise UsageError(
            f"round {submission.round_name} shows a team its own scores once it is {shown_from}; until then "
            f"`gradfree status {submission_id}` gives verdicts and calls"
        )
    return {run.run_id: run.score_public for run in submission.runs}
