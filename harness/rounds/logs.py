"""Logs of solvers, for their team and for the organizer.

The log of an attempt with a result is in its artifact. The streamed log of a void attempt (killed worker,
cancellation, platform error) stays in the folder of the attempt; the newest few of each run are kept.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.records import Verdict
from harness.sandbox.requests import printable
from harness.session.artifact import SOLVER_LOG, read_artifact
from harness.store.paths import ArenaPaths
from harness.store.sealed.evidence import void_attempts_of
from harness.store.sealed.queue import PLAIN_REASONS
from harness.store.sealed.rounds import find_round
from harness.store.sealed.schema import AttemptRow
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import get_submission
from harness.store.values import StoredRun

__all__ = ["MAX_VOID_LOGS", "RunLog", "read_logs", "tidy_attempts"]

MAX_VOID_LOGS = 3
"""Logs of void attempts kept per run, each of at most the round's `log_bytes`."""


@dataclass(frozen=True, slots=True)
class RunLog:
    """The output of an attempt until `solve` returned, and its result.

    Attributes:
        task: task of the run.
        kshot_seed: k-shot seed of the run.
        verdict: IE for a void attempt, AB for a cancelled one.
        message: reason of the verdict.
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
        submission_id: number of the submission.
        is_organizer: ignore visibility, and include the texts of platform errors.

    Raises:
        UsageError: no such submission, or the round does not show logs yet.
        DataError: an artifact is missing or damaged.
    """
    with store.read() as tx:
        submission = get_submission(tx, submission_id)
        stored = find_round(tx, submission.round_name, submission.round_version)
        phase, voids = stored.phase_at(tx.now), void_attempts_of(tx, submission_id)
    shown_from = stored.config.logs_from
    if not (is_organizer or phase.has_reached(shown_from)):
        raise UsageError(
            f"round {submission.round_name} shows what solvers printed once it is {shown_from!s}; "
            f"until then `gradfree status {submission_id}` gives verdicts and reasons"
        )
    logs: list[RunLog] = []
    for run in submission.runs:
        logs += [_void_log(paths, run, each, is_organizer=is_organizer) for each in voids if each.run_id == run.run_id]
        if run.summary is not None and run.summary.artifact_path:
            text = read_artifact(paths.artifacts / run.summary.artifact_path).log
            logs.append(RunLog(run.task, run.kshot_seed, run.summary.verdict, run.message, text))
    return tuple(logs)


def tidy_attempts(paths: ArenaPaths, run_id: int) -> None:
    """Remove the solver files of earlier attempts of a run, and all but their newest logs."""
    folders = sorted(paths.attempts.glob(f"{run_id}-*"), key=lambda path: int(path.name.split("-")[1]))
    for folder in folders:
        shutil.rmtree(folder / "submission", ignore_errors=True)
    for folder in folders[:-MAX_VOID_LOGS]:
        with suppress(OSError):
            (folder / SOLVER_LOG).unlink()


def _void_log(paths: ArenaPaths, run: StoredRun, attempt: AttemptRow, *, is_organizer: bool) -> RunLog:
    reason = attempt.void_reason or ""
    why = reason if reason in PLAIN_REASONS or is_organizer else "a platform error"
    return RunLog(
        task=run.task,
        kshot_seed=run.kshot_seed,
        verdict=Verdict.ABORTED if attempt.is_cancelled else Verdict.INTERNAL_ERROR,
        message=f"attempt {attempt.number}: " + (why if attempt.is_cancelled else f"void, {why}; not charged"),
        text=_streamed(next(paths.attempts.glob(f"{run.run_id}-{attempt.id}-*"), None)),
    )


def _streamed(folder: Path | None) -> str:
    """Return the log in the folder of an attempt; empty if there is none."""
    if folder is None or not (folder / SOLVER_LOG).is_file():
        return ""
    return printable((folder / SOLVER_LOG).read_bytes().decode("utf-8", "replace"))
