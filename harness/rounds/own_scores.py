"""A team's own scores, which a round may show to the team before the board shows them."""

from collections.abc import Mapping

from harness.errors import UsageError
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import get_submission

__all__ = ["read_own_scores"]


def read_own_scores(store: SealedStore, submission_id: int) -> Mapping[int, float | None]:
    """Return the score of each run on the public rows, by run number; None without a score.

    The caller has authenticated the submission's team. A frozen board does not hide them.

    Raises:
        UsageError: there is no such submission, or the round does not show them yet.
    """
    with store.read() as tx:
        submission = get_submission(tx, submission_id)
        stored = find_round(tx, submission.round_name, submission.round_version)
        phase = stored.phase_at(tx.now)
    shown_from = stored.config.own_scores_from
    if not phase.has_reached(shown_from):
        raise UsageError(
            f"round {submission.round_name} shows a team its own scores once it is {shown_from}; until then "
            f"`gradfree status {submission_id}` gives verdicts and calls"
        )
    return {run.run_id: run.score_public for run in submission.runs}
