"""Intake of submissions: check, store by content, queue."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal

from harness.config import RoundConfig
from harness.errors import InfrastructureError, InvalidSubmission, UsageError
from harness.records import Status
from harness.session.submission import Submission, read_submission
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed.rounds import find_round
from harness.store.sealed.schema import SubmissionRow
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import add_submission, check_admission, list_submissions
from harness.store.sealed.teams import BASELINE_TEAM, ensure_team, find_team

__all__ = [
    "Entry",
    "baseline_folder",
    "enter_baselines",
    "is_baseline_name",
    "packaged_baselines",
    "read_baseline",
    "read_submission_or_baseline",
    "submit",
]


Entry = Literal["participant", "baseline", "example"]
"""Kind of a submission: a baseline is never ranked; an example has one row per solver."""


def packaged_baselines() -> tuple[str, ...]:
    """Return the names of the baselines."""
    folder = Path(str(files("baselines")))
    return tuple(sorted(path.parent.name for path in folder.glob("*/solver.toml")))


def baseline_folder(name: str) -> Path:
    """Return a baseline's folder.

    Raises:
        UsageError: no baseline has that name.
    """
    if name not in packaged_baselines():
        raise UsageError(f"there is no baseline {name!r}; there are {', '.join(packaged_baselines())}")
    return Path(str(files("baselines"))) / name


def is_baseline_name(path: str) -> bool:
    """Return whether a path, as given on the command line, is the name of a baseline and of no file."""
    return path in packaged_baselines() and not Path(path).exists()


def read_submission_or_baseline(path: str, config: RoundConfig) -> tuple[Submission, bool]:
    """Read a submission by its path or baseline name; also return whether it is a baseline.

    Raises:
        UsageError: neither a path nor a baseline.
        InvalidSubmission: the files are not acceptable.
    """
    is_baseline = is_baseline_name(path)
    if not Path(path).exists() and Path(str(files("baselines")), path, "reference.toml").is_file():
        raise UsageError(
            f"{path!r} is a gradient reference and needs the weights: gradfree baselines references --only {path}"
        )
    folder = baseline_folder(path) if is_baseline else Path(path)
    return read_submission(folder, config.limits.submission_bytes), is_baseline


def read_baseline(name: str, config: RoundConfig) -> Submission:
    """Read a packaged baseline.

    Raises:
        UsageError: no baseline has that name, or its manifest has another name.
        InvalidSubmission: it exceeds the limits of the round.
    """
    folder = baseline_folder(name)
    try:
        submission = read_submission(folder, config.limits.submission_bytes)
    except InvalidSubmission as error:
        raise InvalidSubmission(f"baselines/{name}: {error}") from error
    if submission.manifest.name != name:
        raise UsageError(
            f"baselines/{name}/solver.toml: name is {submission.manifest.name!r}, expected {name!r}, "
            "the name of its folder"
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
    """Enter the baselines that are not yet in a round.

    Args:
        store: the sealed store.
        publisher: of the same arena.
        paths: the arena folder.
        config: the round.
        names: the baselines; empty means all.
        again: also enter baselines that are already in the round.

    Returns:
        Name -> (number of its submission, whether this call queued it).

    Raises:
        UsageError: no baseline has that name, or its manifest has another name.
        InvalidSubmission: a baseline exceeds the limits of the round.
    """
    with store.read() as tx:
        entered = {
            item.digest: item.submission_id
            for item in list_submissions(tx, find_round(tx, config.name, config.version))
            if item.is_baseline and item.status is not Status.CANCELLED
        }
    found = {}
    for name in names or packaged_baselines():
        known = entered.get(read_baseline(name, config).digest)
        found[name] = (
            (known, False)
            if known is not None and not again
            else (submit(store, publisher, paths, config, baseline_folder(name), BASELINE_TEAM, entry="baseline"), True)
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
    entry: Entry = "participant",
    token: str | None = None,
    spool_number: str | None = None,
) -> int:
    """Check a submission, store its files and queue its runs; return its number.

    Args:
        store: the sealed store.
        publisher: of the same arena.
        paths: the arena folder.
        config: the round.
        path: folder or zip.
        team: the submitting team; added without a token if it is new.
        entry: kind of the submission.
        token: token of the team, if it has one; baselines need none.
        spool_number: number of its submission upload, if any.

    Raises:
        UsageError: no such path, the round is not open, the quota is used up, or the token is wrong.
        InvalidSubmission: the files are not acceptable.
        InfrastructureError: the disk or the database failed; nothing was submitted.
    """
    submission = read_submission(path, config.limits.submission_bytes)
    is_baseline, is_example = entry == "baseline", entry == "example"
    with store.write() as tx:
        ensure_team(tx, team, is_baseline_owner=is_baseline)
    if not is_baseline:
        # Checked before the files are stored, so that refused submissions cannot fill the disk.
        with store.read() as tx:
            row = find_round(tx, config.name, config.version)
            check_admission(tx, row, find_team(tx, team), token=token, is_example=is_example)
    try:
        kept = submission.write_to(paths.submissions)
    except OSError as error:
        raise InfrastructureError(
            f"the submission cannot be stored, and was not submitted: {error.strerror or error}"
        ) from error
    with store.write() as tx:
        row = find_round(tx, config.name, config.version)
        owner = find_team(tx, team)
        if not is_baseline:
            check_admission(tx, row, owner, token=token, is_example=is_example)
        new = SubmissionRow(
            team=owner,
            name=submission.manifest.name,
            description=submission.manifest.description,
            digest=submission.digest,
            path=str(kept.relative_to(paths.submissions)),
            is_baseline=is_baseline,
            is_example=is_example,
            spool_number=spool_number,
        )
        number = add_submission(tx, row, new).id
    publisher.publish()
    return number
