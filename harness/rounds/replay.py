"""Replay of a run with the same solver, seeds and data, compared query by query with the record."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from harness.errors import DataError, UsageError
from harness.sandbox import SandboxMode
from harness.session.artifact import Artifact, read_artifact
from harness.session.attempt import RunSpec, run_attempt, solver_params
from harness.session.blackbox import AttemptProgress
from harness.session.loaded_round import LoadedRound
from harness.session.submission import read_submission
from harness.session.trace import TraceEntry
from harness.store.paths import ArenaPaths
from harness.store.sealed.evidence import note_replay, submission_of_run
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore

__all__ = ["Difference", "Replay", "first_difference", "replay_run"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first query in which a replay differs from the record.

    Attributes:
        query: number of the query, from 1.
        calls: calls charged in the record, including this query; None if the record has no such query.
        what: "request" (the solver sent another query), "response" (device, model or packages differ),
            "missing" (the replay ended earlier) or "extra" (the replay sent more queries).
    """

    query: int
    calls: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Replay:
    """Result of a replay.

    Attributes:
        n_queries: number of queries in the record.
        difference: the first difference; None if every query and response is bit-identical.
        is_same_result: verdict, calls, predictions and scores are equal.
        changed: hashes that differ: name -> (recorded, now).
        message: message of the replayed attempt.
    """

    n_queries: int
    difference: Difference | None
    is_same_result: bool
    changed: dict[str, tuple[str, str]]
    message: str

    @property
    def is_identical(self) -> bool:
        """Whether queries, responses and result are identical."""
        return self.difference is None and self.is_same_result


def replay_run(
    store: SealedStore,
    paths: ArenaPaths,
    run_id: int,
    mode: SandboxMode,
    *,
    other: Path | None = None,
    observer: Callable[[AttemptProgress], None] | None = None,
) -> Replay:
    """Execute a finished run again and compare; only an audit event is stored.

    Args:
        store: the sealed store.
        paths: of the arena.
        run_id: a run that ended with an artifact.
        mode: isolation of the solver.
        other: another version of the solver to run instead.
        observer: called after each query, or None.

    Raises:
        UsageError: no such run, `other` does not exist, or a participant's code without isolation.
        DataError: the run has no artifact, or it is damaged.
        InvalidSubmission: `other` is not acceptable.
        InfrastructureError: a platform error.
    """
    with store.read() as tx:
        submission = submission_of_run(tx, run_id)
        config = find_round(tx, submission.round_name, submission.round_version).config
    (run,) = (run for run in submission.runs if run.run_id == run_id)
    if mode is SandboxMode.UNSAFE and other is None and not (submission.is_baseline or submission.is_example):
        raise UsageError(
            f"run {run_id} is of team {submission.team}: code of others is not replayed without a sandbox; use a "
            "machine that has one (gradfree doctor), or name your own version of the solver: --with FOLDER"
        )
    if run.summary is None:
        raise DataError(f"run {run_id} is {run.status} and has no artifact; only finished runs can be replayed")
    recorded = read_artifact(paths.artifacts / run.summary.artifact_path)
    code = read_submission(other or paths.submissions / submission.path, config.limits.submission_bytes)
    params = recorded.params
    if other is not None:
        params = solver_params(config, code, is_baseline=submission.is_baseline)
    spec = RunSpec(
        code, params, run.task, run.kshot_seed, run.solver_seed, recorded.rotation_seed, recorded.predict_seed
    )
    with store.write() as tx:
        note_replay(tx, run_id, code.digest)
    with tempfile.TemporaryDirectory(prefix="gradfree-replay-") as folder:
        again = run_attempt(LoadedRound(config), spec, Path(folder), mode, observer)
    return Replay(
        n_queries=len(recorded.trace),
        difference=first_difference(recorded.trace, again.trace),
        is_same_result=_result(recorded) == _result(again),
        changed={
            name: (digest, again.hashes.get(name, ""))
            for name, digest in recorded.hashes.items()
            if again.hashes.get(name) != digest
        },
        message=again.message,
    )


def first_difference(recorded: list[TraceEntry], again: list[TraceEntry]) -> Difference | None:
    """Return the first difference of two traces, or None."""
    for number, (then, now) in enumerate(zip_longest(recorded, again), start=1):
        if then is None:
            return Difference(number, None, "extra")
        if now is None:
            return Difference(number, then.calls, "missing")
        if then.request != now.request:
            return Difference(number, then.calls, "request")
        if then.response != now.response:
            return Difference(number, then.calls, "response")
    return None


def _result(artifact: Artifact) -> tuple[object, ...]:
    return (artifact.verdict, artifact.usage.calls, artifact.predictions, artifact.scores)
