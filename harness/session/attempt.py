"""One attempt at one run: submission x task x k-shot seed, from start to artifact.

::

    solve in the sandbox  ->  solution (or the last checkpoint)  ->  outputs on the test rows
      queries: check, charge, journal, compute, trace                ->  predictions  ->  scores

Every fault of the submission ends in an artifact with a verdict. A platform error raises an exception,
leaves no artifact, and the attempt is void.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.api import Solution, Task
from harness.config import RoundConfig
from harness.errors import InfrastructureError, InvalidQuery, UsageError
from harness.metering import Journal, Meter
from harness.records import IntArray, Verdict
from harness.sandbox import SandboxMode, SolveOutcome, SubmissionSource, run_solve
from harness.sandbox.requests import printable
from harness.session.artifact import SOLVER_LOG, Artifact, IncumbentScore, Scores
from harness.session.blackbox import AttemptProgress, MeteredBlackBox
from harness.session.loaded_round import LoadedRound
from harness.session.prediction import PredictionFailed
from harness.session.provenance import code_digest, package_versions, packages_digest
from harness.session.rotation import draw_rotation
from harness.session.scoring import Scorer
from harness.session.submission import Submission

__all__ = ["RunSpec", "run_attempt", "solver_params"]

_SCORED_ON_CHECKPOINT = frozenset({Verdict.TIME_LIMIT, Verdict.MEMORY_LIMIT})


@dataclass(frozen=True, slots=True)
class RunSpec:
    """The run that an attempt executes, with its seeds.

    Attributes:
        submission: the submission.
        params: arguments of the solver's constructor; see `solver_params`.
        task: a task of the round.
        kshot_seed: one of the task's k-shot seeds.
        solver_seed: never 0.
        rotation_seed: seed of the secret basis; None if the round has none.
        predict_seed: seed of the row order for `predict`; None draws one.
    """

    submission: Submission
    params: Mapping[str, Any]
    task: str
    kshot_seed: int
    solver_seed: int
    rotation_seed: int | None = None
    predict_seed: int | None = None


@dataclass(frozen=True, slots=True)
class _Ending:
    """Outcome of an attempt, before the artifact is made."""

    verdict: Verdict
    message: str
    is_checkpoint: bool = False
    predictions: IntArray | None = None
    scores: Scores | None = None
    incumbents: tuple[IncumbentScore, ...] = ()


def solver_params(config: RoundConfig, submission: Submission, *, is_baseline: bool) -> dict[str, Any]:
    """Return the parameters of a submission in a round; for a baseline, the round's parameters take precedence.

    A manifest may set parameters for a round and its final (`[rounds.NAME]`). A round may set those of its
    baselines (`[solver_params.NAME]`), because published settings belong to the published model; it never
    sets a participant's.
    """
    rounds = submission.manifest.rounds
    own = submission.manifest.params | rounds.get(config.name, rounds.get(config.base_name, {}))
    return own | config.solver_params.get(submission.manifest.name, {}) if is_baseline else own


def run_attempt(
    loaded_round: LoadedRound,
    spec: RunSpec,
    folder: Path,
    mode: SandboxMode,
    observer: Callable[[AttemptProgress], None] | None = None,
    stop: threading.Event | None = None,
    on_scoring: Callable[[], None] | None = None,
) -> Artifact:
    """Run a solver in the sandbox, score it, and return the artifact (not yet written).

    Args:
        loaded_round: the loaded round.
        spec: which run.
        folder: an empty folder for the attempt's journal, its log and the files that the sandbox sees.
        mode: how the solver is isolated.
        observer: called after each query, or None.
        stop: event that cancels the attempt.
        on_scoring: called before the test phase, if there is one.

    Raises:
        InfrastructureError: platform error, or `stop` was set; the attempt is void.
        UsageError: the round has no such task or seed.
        DataError: the task's data cannot be used.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    loaded = loaded_round.task(spec.task)
    if spec.kshot_seed not in loaded.data.kshot:
        raise UsageError(f"task {spec.task!r} has no k-shot seed {spec.kshot_seed}; it has {sorted(loaded.data.kshot)}")
    train, dev = loaded.data.kshot[spec.kshot_seed]
    manifest = spec.submission.manifest
    # Unpredictable, but recorded so that a replay can repeat it.
    predict_seed = secrets.randbits(62) if spec.predict_seed is None else spec.predict_seed
    source = SubmissionSource(
        path=spec.submission.write_to(folder / "submission"), entry=manifest.entry, params=spec.params
    )
    with Journal(folder / "journal.jsonl") as journal:
        meter = Meter(loaded.config.budget_calls, len(train), journal)
        rotation = (
            None
            if spec.rotation_seed is None
            else draw_rotation(spec.rotation_seed, loaded_round.engine.info.hidden_size)
        )
        blackbox = MeteredBlackBox(loaded_round, loaded, {"train": train, "dev": dev}, meter, observer, rotation, stop)
        task = Task(
            name=spec.task,
            metric=loaded.config.metric,
            label_names=loaded.config.label_names,
            template=loaded.config.template,
            words=loaded.config.words,
            kshot_seed=spec.kshot_seed,
            solver_seed=spec.solver_seed,
            train=train,
            dev=dev,
        )
        try:
            outcome = run_solve(source, task, blackbox, loaded_round.policy, mode, stop, folder / SOLVER_LOG)
            solve_s = time.perf_counter() - clock
            scorer = Scorer(
                loaded_round, loaded, blackbox, source, mode, predict_seed, has_predict=outcome.has_predict, stop=stop
            )
            ending = _conclude(scorer, outcome, on_scoring)
        finally:
            loaded_round.forget(blackbox.attempt)
    return Artifact(
        round_name=loaded_round.config.name,
        round_version=loaded_round.config.round.version,
        submission_name=manifest.name,
        params=dict(spec.params),
        task=spec.task,
        metric=loaded.config.metric,
        kshot_seed=spec.kshot_seed,
        solver_seed=spec.solver_seed,
        predict_seed=predict_seed,
        rotation_seed=spec.rotation_seed,
        hashes={
            "submission": spec.submission.digest,
            "round": loaded_round.config.digest(),
            "data": loaded.data.digest,
            "model": loaded_round.backbone.weights_digest,
            "tokenizer": loaded_round.backbone.tokenizer_digest,
            "code": code_digest(),
            "packages": packages_digest(),
            "profile": loaded_round.profile.digest,
        },
        test_digest=loaded.data.test_digest,
        packages=package_versions(),
        profile=loaded_round.profile.as_dict(),
        sandbox_mode=mode.value,
        started_at=started,
        ended_at=datetime.now(UTC),
        solve_s=solve_s,
        wall_s=time.perf_counter() - clock,
        peak_rss_bytes=outcome.peak_rss_bytes,
        cpu_s=outcome.cpu_s,
        budget_calls=loaded.config.budget_calls,
        usage=replace(meter.usage, solver_s=outcome.solver_s, invalid_queries=outcome.invalid_queries),
        verdict=ending.verdict,
        message=ending.message,
        is_checkpoint=ending.is_checkpoint,
        # Escape control characters once, for every terminal and page.
        log=printable(outcome.log.decode("utf-8", "replace")),
        log_truncated=outcome.log_truncated,
        trace=blackbox.trace,
        train_losses=blackbox.train_losses,
        predictions=None if ending.predictions is None else ending.predictions.tolist(),
        scores=ending.scores,
        incumbents=list(ending.incumbents),
    )


def _conclude(scorer: Scorer, outcome: SolveOutcome, on_scoring: Callable[[], None] | None) -> _Ending:
    """Select the final solution, run it on the test rows and score it."""
    if outcome.verdict is Verdict.INTERNAL_ERROR:
        raise InfrastructureError(f"the sandbox failed: {outcome.message}")
    blackbox = scorer.blackbox
    solution, verdict, message, is_checkpoint = _final_solution(blackbox, outcome)
    if solution is None:
        return _Ending(verdict, message)
    if not is_checkpoint:
        try:
            blackbox.check_solution(solution)
        except InvalidQuery as error:
            return _Ending(Verdict.RUNTIME_ERROR, f"the solution cannot be used: {error}")
    if on_scoring is not None:
        on_scoring()
    try:
        predictions = scorer.predictions(solution)
    except PredictionFailed as failure:
        return _Ending(failure.verdict, failure.reason)
    except InvalidQuery as error:
        return _Ending(Verdict.RUNTIME_ERROR, f"the solution cannot be used: {error}")
    scores = scorer.scores(predictions)
    named_at = blackbox.incumbents.newest if is_checkpoint else None
    last = IncumbentScore(
        calls=blackbox.calls_charged if named_at is None else named_at.calls,
        public=scores.public,
        private=scores.private,
    )
    return _Ending(verdict, message, is_checkpoint, predictions, scores, (*scorer.earlier_incumbents(solution), last))


def _final_solution(blackbox: MeteredBlackBox, outcome: SolveOutcome) -> tuple[Solution | None, Verdict, str, bool]:
    """Return the final solution, the verdict, a message, and whether the solution is a checkpoint."""
    if outcome.verdict is Verdict.OK:
        return outcome.solution, Verdict.OK, "", False
    incumbent = blackbox.incumbents.newest
    if outcome.out_of_budget:
        # Exceeding the budget is no failure if there is a checkpoint to score.
        hint = "asked for more calls than the budget and did not catch BudgetExhausted"
        if incumbent is None:
            return None, Verdict.RUNTIME_ERROR, f"{hint}; there is no checkpoint to score", False
        note = f"{hint}; scored on its checkpoint at {incumbent.calls} calls"
        return incumbent.solution, Verdict.OK, note, True
    if outcome.verdict in _SCORED_ON_CHECKPOINT and incumbent is not None:
        note = f"{outcome.message}; scored on its checkpoint at {incumbent.calls} calls"
        return incumbent.solution, outcome.verdict, note, True
    return None, outcome.verdict, outcome.message, False
