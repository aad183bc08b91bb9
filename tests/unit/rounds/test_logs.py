"""Logs of void attempts: kept, bounded, and shown to whom they belong."""

import pytest
from in_store import write
from small_round import small_round

from harness.errors import UsageError
from harness.records import Phase
from harness.rounds.logs import MAX_VOID_LOGS, read_logs, tidy_attempts
from harness.session.artifact import SOLVER_LOG
from harness.store.paths import ArenaPaths
from harness.store.sealed.attempts import start_attempt, void_attempt
from harness.store.sealed.claims import claim_run
from harness.store.sealed.queue import take_back_everything
from harness.store.sealed.rounds import add_round, find_round, set_phase
from harness.store.sealed.schema import SubmissionRow
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import add_submission, cancel_submission, find_submission
from harness.store.sealed.teams import ensure_team


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path / "arena")
    with SealedStore.open(paths) as sealed:
        with sealed.write() as tx:
            add_round(tx, small_round(("sst2", "accuracy", 40, (8,)), visibility={"logs": "closed"}))
            row = SubmissionRow(team=ensure_team(tx, "us"), name="cma", digest="b" * 64, path="x")
            add_submission(tx, find_round(tx, "toy"), row)
        yield sealed, paths


def attempt_that_prints(sealed, paths, text):
    with sealed.write() as tx:
        attempt = start_attempt(tx, claim_run(tx, "w", 60))
    folder = paths.attempts / f"1-{attempt}-0123abcd"
    (folder / "submission").mkdir(parents=True)
    (folder / SOLVER_LOG).write_text(text)
    return attempt


def test_a_void_attempt_shows_its_log_to_the_team_and_the_fault_to_the_organizer_alone(arena):
    sealed, paths = arena
    attempt = attempt_that_prints(sealed, paths, "step 1\x1b[2J\n")
    write(sealed, void_attempt, attempt, "row 7 is 'a secret'")
    with pytest.raises(UsageError, match="shows what solvers printed once it is closed"):
        read_logs(sealed, paths, 1)
    (log,) = read_logs(sealed, paths, 1, is_organizer=True)
    assert "row 7 is 'a secret'" in log.message
    with sealed.write() as tx:
        set_phase(tx, find_round(tx, "toy"), Phase.CLOSED)
    (log,) = read_logs(sealed, paths, 1)
    assert (log.verdict, log.text) == ("IE", "step 1\\x1b[2J\n")
    assert log.message == "attempt 1: void, a platform error; not charged"


def test_a_cancelled_attempt_shows_what_it_printed(arena):
    sealed, paths = arena
    attempt_that_prints(sealed, paths, "step 1\n")
    with sealed.write() as tx:
        cancel_submission(tx, find_submission(tx, 1))
    (log,) = read_logs(sealed, paths, 1, is_organizer=True)
    assert (log.verdict, log.message, log.text) == ("AB", "attempt 1: cancelled", "step 1\n")


def test_only_the_newest_logs_of_a_run_are_kept_and_no_solver_files(arena):
    sealed, paths = arena
    for number in range(12):
        attempt_that_prints(sealed, paths, f"attempt {number}\n")
        write(sealed, take_back_everything, "stopped")
    other = paths.attempts / "11-1-0123abcd"
    (other / "submission").mkdir(parents=True)
    tidy_attempts(paths, 1)
    texts = [log.text for log in read_logs(sealed, paths, 1, is_organizer=True)]
    assert texts == [""] * (12 - MAX_VOID_LOGS) + ["attempt 9\n", "attempt 10\n", "attempt 11\n"]
    assert list(paths.attempts.glob("1-*/submission")) == []
    assert (other / "submission").is_dir(), "another run's"
