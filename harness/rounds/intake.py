"""Taking submissions in: checked, content-addressed, queued."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from harness.config import RoundConfig
from harness.errors import InfrastructureError, InvalidSubmission, UsageError
from harness.records import Status
from harness.session.submission import Submission, read_submission
from harness.store import BASELINE_TEAM, ArenaPaths, Publisher, SealedStore
from harness.store.round_names import with_version

__all__ = [
    "baseline_folder",
    "enter_baselines",
    "is_baseline_name",
    "packaged_baselines",
    "read_baseline",
    "read_submission_or_baseline",
    "submit",
]


def packaged_baselines() -> tuple[str, ...]:
    """Return the names of the reference solvers."""
    folder = Path(str(files("baselines")))
    return tuple(sorted(path.parent.name for path in folder.glob("*/solver.toml")))


def baseline_folder(name: str) -> Path:
    """Return a reference solver's folder.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in packaged_baselines():
        raise UsageError(f"there is no baseline {name!r}; there are {', '.join(packaged_baselines())}")
    return Path(str(files("baselines"))) / name


def is_baseline_name(path: str) -> bool:
    """Say whether a path as typed stands for a packaged reference solver: no such file is there."""
    return path in packaged_baselines() and not Path(path).exists()


def read_submission_or_baseline(path: str, config: RoundConfig) -> tuple[Submission, bool]:
    """Read what a path as typed stands for, and say whether it is a packaged reference solver.

    Raises:
        UsageError: there is nothing of that name.
        InvalidSubmission: the files cannot be accepted.
    """
    is_baseline = is_baseline_name(path)
    if not Path(path).exists() and Path(str(files("baselines")), path, "reference.toml").is_file():
        raise UsageError(
            f"{path!r} is a gradient reference and needs the weights: gradfree baselines references --only {path}"
        )
    folder = baseline_folder(path) if is_baseline else Path(path)
    return read_submission(folder, config.limits.submission_bytes), is_baseline


def read_baseline(name: str, config: RoundConfig) -> Submission:
    """Read a packaged reference solver.

    Raises:
        UsageError: there is none of that name, or its manifest gives it another one.
        InvalidSubmission: it does not fit the round's limits.
    """
    folder = baseline_folder(name)
    try:
        submission = read_submission(folder, config.limits.submission_bytes)
    except InvalidSubmission as error:
        raise InvalidSubmission(f"baselines/{name}: {error}") from error
    if submission.manifest.name != name:
        raise UsageError(
            f"baselines/{name}/solver.toml: name is {submission.manifest.name!r}, expected {name!r}, "
            "as its folder is called"
        )
    return submission


def enter_baselines(
    store: SealedStore,
    publisher: Publisher,
    paths: ArenaPaths,
    config: RoundConfig,
    names: Sequence[str] = (),
    *,
    again: bool = False,
) -> dict[str, tuple[int, bool]]:
    """Enter the reference solvers that a round does not have yet.

    Args:
        store: the sealed store.
        publisher: of the same arena.
        paths: the arena folder.
        config: the round.
        names: which solvers; none means all.
        again: enter those too that are in already.

    Returns:
        Name -> (number of its submission, whether it was queued by this call).

    Raises:
        UsageError: there is no reference solver of that name, or its manifest gives it another one.
        InvalidSubmission: a reference solver does not fit the round's limits.
    """
    entered = {
        item.digest: item.submission_id
        for item in store.list_submissions(with_version(config.name, config.round.version))
        if item.is_baseline and item.status is not Status.CANCELLED
    }
    found = {}
    for name in names or packaged_baselines():
        known = entered.get(read_baseline(name, config).digest)
        found[name] = (
            (known, False)
            if known is not None and not again
            else (
                submit(
                    store, publisher, paths, config, baseline_folder(name), BASELINE_TEAM, is_baseline=True
                ),
                True,
            )
        )
    return found


def submit(
    store: SealedStore,
    publisher: Publisher,
    paths: ArenaPaths,
    config: RoundConfig,
    path: Path,
    team: str,
    *,
    is_baseline: bool = False,
    is_example: bool = False,
    token: str | None = None,
    spool_number: str | None = None,
) -> int:
    """Check a submission, keep its files and queue its runs; return its number.

    Raises:
        UsageError: no such path, the round is not open, the quota is used up, or the token is wrong.
        InvalidSubmission: the files cannot be accepted.
        InfrastructureError: the disk or the database is out of order; nothing was handed in.
    """
    submission = read_submission(path, config.limits.submission_bytes)
    store.ensure_team(team, is_baseline_owner=is_baseline)
    if not is_baseline:
        # Else whoever is refused again and again fills the disk.
        store.check_admission(
            config.name, team, is_example=is_example, round_version=config.round.version, token=token
        )
    try:
        kept = submission.write_to(paths.submissions)
    except OSError as error:
        raise InfrastructureError(
            f"the submission cannot be kept, and was not handed in: {error.strerror or error}"
        ) from error
    number = store.add_submission(
        config.name,
        team,
        submission.manifest.name,
        submission.digest,
        str(kept.relative_to(paths.submissions)),
        description=submission.manifest.description,
        is_baseline=is_baseline,
        is_example=is_example,
        round_version=config.round.version,
        token=token,
        spool_number=spool_number,
    )
    publisher.publish()
    return number
