"""What solvers printed, for the team whose solver it was, and for the organizer.

The log of an attempt that ended with a result is in its artifact. That of a void one (its worker was
killed, it was cancelled, a fault of ours) stays as it was streamed, in the attempt's folder: the newest few
of each run.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.records import Verdict
from harness.sandbox.requests import printable
from harness.session.artifact import SOLVER_LOG, read_artifact
from harness.store import ArenaPaths, SealedStore, StoredRun, StoredSubmission
from harness.store.evidence import VoidAttempt
from harness.store.queue import CANCELLED
from harness.store.writer import utc_now

__all__ = ["MAX_VOID_LOGS", "RunLog", "read_logs", "tidy_attempts"]

MAX_VOID_LOGS = 3
"""Logs of void attempts kept per run, each of at most the round's `log_bytes`."""


@dataclass(frozen=True, slots=True)
class RunLog:
    """What an attempt printed until `solve` returned, and nothing after; and how it ended.

    Attributes:
        task: of the run.
        kshot_seed: of the run.
        verdict: IE for a void attempt, AB for one that was cancelled.
        message: why.
        text: the log.
    """

    task: str
    kshot_seed: int
    verdict: Verdict
    message: str
    text: str


def read_logs(
    store: SealedStore, paths: ArenaPaths, submission_id: int, *, is_organizer: bool = False
) -> tuple[RunLog, ...]:
    """Return the logs of a submission, run by run in the order of the round file, void attempts first.

    Args:
        store: the sealed store.
        paths: of the arena.
        submission_id: whose.
        is_organizer: whatever the round shows, and with the words of our faults.

    Raises:
        UsageError: no such submission, or the round does not show logs yet.
        DataError: an artifact is missing or damaged.
    """
    submission = store.get_submission(submission_id)
    if not is_organizer:
        _refuse_hidden(store, submission)
    voids = store.void_attempts(submission_id)
    logs: list[RunLog] = []
    for run in submission.runs:
        logs += [
            _void_log(paths, run, each, is_organizer=is_organizer)
            for each in voids
            if each.run_id == run.run_id
        ]
        if run.verdict is not None and run.artifact_path:
            text = read_artifact(paths.artifacts / run.artifact_path).log
            logs.append(RunLog(run.task, run.kshot_seed, run.verdict, run.message, text))
    return tuple(logs)


def tidy_attempts(paths: ArenaPaths, run_id: int) -> None:
    """Remove what earlier attempts at a run left and nobody needs: solvers' files, all but the newest logs."""
    folders = sorted(paths.attempts.glob(f"{run_id}-*"), key=lambda path: int(path.name.split("-")[1]))
    for folder in folders:
        shutil.rmtree(folder / "submission", ignore_errors=True)
    for folder in folders[:-MAX_VOID_LOGS]:
        with suppress(OSError):
            (folder / SOLVER_LOG).unlink()


def _refuse_hidden(store: SealedStore, submission: StoredSubmission) -> None:
    stored = store.get_round(submission.round_name, submission.round_version)
    if not stored.phase_at(utc_now()).has_reached(stored.facts.logs_from):
        raise UsageError(
            f"round {submission.round_name} shows what solvers printed once it is {stored.facts.logs_from!s}; "
            f"until then `gradfree status {submission.submission_id}` gives verdicts and reasons"
        )


def _void_log(paths: ArenaPaths, run: StoredRun, attempt: VoidAttempt, *, is_organizer: bool) -> RunLog:
    is_cancelled = attempt.reason == CANCELLED
    why = attempt.reason if attempt.is_plain or is_organizer else "a fault of ours"
    return RunLog(
        task=run.task,
        kshot_seed=run.kshot_seed,
        verdict=Verdict.ABORTED if is_cancelled else Verdict.INTERNAL_ERROR,
        message=f"attempt {attempt.number}: "
        + (why if is_cancelled else f"void, {why}; nobody is charged for it"),
        text=_streamed(next(paths.attempts.glob(f"{run.run_id}-{attempt.attempt_id}-*"), None)),
    )


def _streamed(folder: Path | None) -> str:
    """Return the log in an attempt's folder; nothing if it printed nothing, or the log was removed."""
    if folder is None or not (folder / SOLVER_LOG).is_file():
        return ""
    return printable((folder / SOLVER_LOG).read_bytes().decode("utf-8", "replace"))
