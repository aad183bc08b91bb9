"""A solver under test: attempts on the toy round, each made once and cached."""

import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.config import RoundConfig, load_round
from harness.sandbox import SandboxMode, require_mode
from harness.session.artifact import Artifact
from harness.session.attempt import RunSpec, run_attempt, solver_params
from harness.session.loaded_round import LoadedRound
from harness.session.submission import Submission, read_submission
from harness.store.sealed.seeds import solver_seed

__all__ = ["SolverUnderTest"]

_TEST_ROWS = 200


@dataclass(frozen=True, slots=True)
class _Setting:
    """The settings of one attempt; equal settings share one attempt."""

    task: str
    budget_calls: int
    n_prompt_tokens: int
    take: int


@dataclass
class SolverUnderTest:
    """A submission and its attempts.

    Attributes:
        path: a submission's folder or zip.
        budget_calls: calls of an ordinary attempt; enough for the solver to make progress.
        is_baseline: also use the toy round's parameters for baselines.
        mode: the sandbox mode; None: that of this machine's rounds.
    """

    path: str | Path
    budget_calls: int = 130
    is_baseline: bool = False
    mode: SandboxMode | None = None
    _attempts: dict[_Setting, Artifact] = field(default_factory=dict, repr=False)

    def submission(self) -> Submission:
        """Read the files as a round does.

        Raises:
            UsageError: the path does not exist.
            InvalidSubmission: the files cannot be accepted.
        """
        return read_submission(Path(self.path), _round().limits.submission_bytes)

    def attempt(
        self, task: str, *, budget_calls: int | None = None, n_prompt_tokens: int | None = None, take: int = 1
    ) -> Artifact:
        """Run the solver on a task of the toy round, or return the attempt made before.

        Args:
            task: for instance "sst2" (one text) or "snli" (two).
            budget_calls: None: the `budget_calls` of this object.
            n_prompt_tokens: M; None: the round's.
            take: another number repeats the attempt with the same seeds.

        Raises:
            InfrastructureError: platform error; the solver was not checked.
        """
        setting = _Setting(
            task, budget_calls or self.budget_calls, n_prompt_tokens or _round().model.n_prompt_tokens, take
        )
        if setting not in self._attempts:
            self._attempts[setting] = self._run(setting)
        return self._attempts[setting]

    def _run(self, setting: _Setting) -> Artifact:
        arena = _arena(setting.budget_calls, setting.n_prompt_tokens)
        submission = self.submission()
        task = arena.task(setting.task)
        kshot_seed = task.config.kshot_seeds[0]
        params: dict[str, Any] = solver_params(arena.config, submission, is_baseline=self.is_baseline)
        spec = RunSpec(
            submission=submission,
            params=params,
            task=setting.task,
            kshot_seed=kshot_seed,
            solver_seed=solver_seed(_round().digest(), setting.task, kshot_seed),
        )
        with tempfile.TemporaryDirectory(prefix="gradfree-testing-") as folder:
            return run_attempt(arena, spec, Path(folder), self.mode or require_mode())


@cache
def _round() -> RoundConfig:
    return load_round("toy")


@cache
def _arena(budget_calls: int, n_prompt_tokens: int) -> LoadedRound:
    """Return the toy round with another budget and prompt length, and few test rows for speed."""
    config = _round()
    tasks = tuple(
        task.model_copy(update={"budget_calls": budget_calls, "test_limit": _TEST_ROWS}) for task in config.task
    )
    model = config.model.model_copy(update={"n_prompt_tokens": n_prompt_tokens})
    return LoadedRound(config.model_copy(update={"task": tasks, "model": model}))
