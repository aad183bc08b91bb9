"""What a claimed run is to be attempted with: the kept files, the parameters and every seed."""

from harness.config import RoundConfig
from harness.errors import InfrastructureError, InvalidSubmission
from harness.session.attempt import RunSpec, solver_params
from harness.session.rotation import predict_seed, rotation_seed
from harness.session.submission import read_submission
from harness.store import ArenaPaths, ClaimedRun, SealedStore

__all__ = ["spec_of"]


def spec_of(store: SealedStore, paths: ArenaPaths, config: RoundConfig, run: ClaimedRun) -> RunSpec:
    """Return what an attempt needs; the same for every attempt at the run.

    Raises:
        InfrastructureError: the kept files are damaged, or not those that were handed in.
    """
    kept = paths.submissions / run.path
    try:
        submission = read_submission(kept, config.limits.submission_bytes)
    except InvalidSubmission as error:
        raise InfrastructureError(f"the kept submission {kept} is damaged: {error}") from error
    if submission.digest != run.digest:
        raise InfrastructureError(f"the kept submission {kept} is not what was handed in")
    secret = store.get_round(run.round_name, run.round_version).secret
    secrets_of_run = (secret, run.origin_id, run.task, run.kshot_seed)
    return RunSpec(
        submission=submission,
        params=solver_params(config, submission, is_baseline=run.is_baseline),
        task=run.task,
        kshot_seed=run.kshot_seed,
        solver_seed=run.solver_seed,
        rotation_seed=None if config.round.rotation == "none" else rotation_seed(*secrets_of_run),
        predict_seed=predict_seed(*secrets_of_run),
    )
