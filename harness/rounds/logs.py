"""What solvers printed, for the team whose solver it was."""

from dataclasses import dataclass

from harness.errors import UsageError
from harness.records import Verdict
from harness.session.artifact import read_artifact
from harness.store import ArenaPaths, SealedStore
from harness.store.writer import utc_now

__all__ = ["RunLog", "read_logs"]


@dataclass(frozen=True, slots=True)
class RunLog:
    """A run's log and how it ended: what was captured until `solve` returned, and nothing after."""

    task: str
    kshot_seed: int
    verdict: Verdict
    message: str
    text: str


def read_logs(store: SealedStore, paths: ArenaPaths, submission_id: int) -> tuple[RunLog, ...]:
    """Return the logs of a submission's finished runs, in the order of the round file.

    Raises:
        UsageError: no such submission, or the round does not show logs yet.
        DataError: an artifact is missing or damaged.
    """
    submission = store.get_submission(submission_id)
    stored = store.get_round(submission.round_name, submission.round_version)
    if not stored.phase_at(utc_now()).has_reached(stored.facts.logs_from):
        raise UsageError(
            f"round {submission.round_name} shows logs from the phase {stored.facts.logs_from!s} on; "
            "until then `gradfree status` gives verdicts and reasons"
        )
    return tuple(
        RunLog(
            run.task,
            run.kshot_seed,
            run.verdict,
            run.message,
            read_artifact(paths.artifacts / run.artifact_path).log,
        )
        for run in submission.runs
        if run.verdict is not None and run.artifact_path
    )
