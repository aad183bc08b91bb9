"""From a claimed run to a job: the stored files, the parameters and every seed."""

from harness.errors import InfrastructureError, InvalidSubmission
from harness.executors.base import Job
from harness.sandbox import SandboxMode
from harness.session.attempt import RunSpec, solver_params
from harness.session.rotation import predict_seed, rotation_seed
from harness.session.submission import read_submission
from harness.store.paths import ArenaPaths
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore
from harness.store.values import ClaimedRun

__all__ = ["job_of"]


def job_of(store: SealedStore, paths: ArenaPaths, run: ClaimedRun, name: str, mode: SandboxMode) -> Job:
    """Return the job of an attempt; but for its name, the same for every attempt at the run.

    Args:
        store: the sealed store.
        paths: of the arena.
        run: claimed.
        name: of the job.
        mode: how the solver is isolated.

    Raises:
        InfrastructureError: the stored files are damaged, or not those that were submitted.
    """
    with store.read() as tx:
        stored = find_round(tx, run.round_name, run.round_version)
    config = stored.config
    kept = paths.submissions / run.path
    try:
        submission = read_submission(kept, config.limits.submission_bytes)
    except InvalidSubmission as error:
        raise InfrastructureError(f"the stored submission {kept} is damaged: {error}") from error
    if submission.digest != run.digest:
        raise InfrastructureError(f"the stored submission {kept} is not what was submitted")
    secrets_of_run = (stored.secret, run.origin_id, run.task, run.kshot_seed)
    spec = RunSpec(
        submission=submission,
        params=solver_params(config, submission, is_baseline=run.is_baseline),
        task=run.task,
        kshot_seed=run.kshot_seed,
        solver_seed=run.solver_seed,
        rotation_seed=None if config.round.rotation == "none" else rotation_seed(*secrets_of_run),
        predict_seed=predict_seed(*secrets_of_run),
    )
    return Job(name=name, config=config, spec=spec, mode=mode)
