"""One run in the real sandbox and meter, for the benches that compare what solvers reach."""

import sys
import tempfile
from pathlib import Path

import numpy as np

from harness.metrics.official import score
from harness.records import Verdict
from harness.sandbox import require_mode
from harness.session.attempt import RunSpec, run_attempt, solver_params
from harness.session.loaded_round import LoadedRound
from harness.session.submission import read_submission


def final_score(
    arena: LoadedRound, path: Path, name: str, kshot_seed: int, solver_seed: int, *, is_baseline: bool
) -> float:
    """Return the score of one run on all test rows, public and private together; exits where it failed."""
    config = arena.config
    submission = read_submission(path, config.limits.submission_bytes)
    spec = RunSpec(
        submission=submission,
        params=solver_params(config, submission, is_baseline=is_baseline),
        task=name,
        kshot_seed=kshot_seed,
        solver_seed=solver_seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        artifact = run_attempt(arena, spec, Path(folder), require_mode())
    if artifact.verdict is not Verdict.OK or artifact.predictions is None:
        sys.exit(f"{path.name} on {name}, seed {kshot_seed}: {artifact.verdict}: {artifact.message}")
    task = arena.task(name)
    return score(task.config.metric, task.data.test.labels, np.array(artifact.predictions), len(task.config.words))
