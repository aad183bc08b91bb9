"""The intake of submissions: checked, content-addressed, queued."""

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
"""What a submission is: a baseline is never ranked, and an example has one row per solver."""


def packaged_baselines() -> tuple[str, ...]:
    """Return the names of the baselines."""
    folder = Path(str(files("baselines")))
    return tuple(sorted(path.parent.name for path in folder.glob("*/solver.toml")))


def baseline_folder(name: str) -> Path:
    """Return a baseline's folder.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in packaged_baselines():
        raise UsageError(f"there is no baseline {name!r}; there are {', '.join(packaged_baselines())}")
    return Path(str(files("baselines"))) / name


def is_baseline_name(path: str) -> bool:
    """Return whether a path as typed names a packaged baseline and no file."""
    return path in packaged_baselines() and not Path(path).exists()


def read_submission_or_baseline(path: str, config: RoundConfig) -> tuple[Submission, bool]:
    """Read the submission that a path as typed names, and return whether it is a packaged baseline.

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
    """Read a packaged baseline.

    Raises:
        UsageError: there is none of that name, or its manifest has another name.
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
    """Enter the baselines that a round does not have yet.

    Args:
        store: the sealed store.
        publisher: of the same arena.
        paths: the arena folder.
        config: the round.
        names: which baselines; none means all.
        again: enter those too that are in already.

    Returns:
        Name -> (number of its submission, whether it was queued by this call).

    Raises:
        UsageError: there is no baseline of that name, or its manifest has another name.
        InvalidSubmission: a baseline does not fit the round's limits.
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
            else (
                submit(
                    store, publisher, paths, config, baseline_folder(name), BASELINE_TEAM, entry="baseline"
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
        team: who submits; added without a token if it is new.
        entry: whether it is a participant's, a baseline or a packaged example.
        token: the team's, if it has one; baselines need none.
        spool_number: of the submission upload that it came by.

    Raises:
        UsageError: no such path, the round is not open, the quota is used up, or the token is wrong.
        InvalidSubmission: the files cannot be accepted.
        InfrastructureError: the disk or the database is out of order; nothing was submitted.
    """
    submission = read_submission(path, config.limits.submission_bytes)
    is_baseline, is_example = entry == "baseline", entry == "example"
    with store.write() as tx:
        ensure_team(tx, team, is_baseline_owner=is_baseline)
    if not is_baseline:
        # Before the files are stored: else repeated refused submissions would fill the disk.
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
