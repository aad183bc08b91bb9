"""Logs of void attempts: kept, bounded, and shown to whom they belong."""

import pytest

from harness.errors import UsageError
from harness.rounds.logs import MAX_VOID_LOGS, read_logs, tidy_attempts
from harness.session.artifact import SOLVER_LOG
from harness.store import ArenaPaths, Phase, RoundFacts, SealedStore, TaskFacts


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path / "arena")
    with SealedStore.open(paths) as sealed:
        tasks = (TaskFacts("sst2", "accuracy", 40, (8,)),)
        sealed.add_round(RoundFacts("toy", "1.0", "a" * 64, "", tasks, logs_from=Phase.CLOSED))
        sealed.ensure_team("us")
        sealed.add_submission("toy", "us", "cma", "b" * 64, "x")
        yield sealed, paths


def attempt_that_prints(sealed, paths, text):
    attempt = sealed.start_attempt(sealed.claim_run("w", 60))
    folder = paths.attempts / f"1-{attempt}-0123abcd"
    (folder / "submission").mkdir(parents=True)
    (folder / SOLVER_LOG).write_text(text)
    return attempt


def test_a_void_attempt_shows_its_log_to_the_team_and_the_fault_to_the_organizer_alone(arena):
    sealed, paths = arena
    sealed.void_attempt(attempt_that_prints(sealed, paths, "step 1\x1b[2J\n"), "row 7 is 'a secret'")
    with pytest.raises(UsageError, match="shows what solvers printed once it is closed"):
        read_logs(sealed, paths, 1)
    (log,) = read_logs(sealed, paths, 1, is_organizer=True)
    assert "row 7 is 'a secret'" in log.message
    sealed.set_phase("toy", Phase.CLOSED)
    (log,) = read_logs(sealed, paths, 1)
    assert (log.verdict, log.text) == ("IE", "step 1\\x1b[2J\n")
    assert log.message == "attempt 1: void, a fault of ours; nobody is charged for it"


def test_a_cancelled_attempt_shows_what_it_printed(arena):
    sealed, paths = arena
    attempt_that_prints(sealed, paths, "step 1\n")
    sealed.cancel_submission(1)
    (log,) = read_logs(sealed, paths, 1, is_organizer=True)
    assert (log.verdict, log.message, log.text) == ("AB", "attempt 1: cancelled", "step 1\n")


def test_only_the_newest_logs_of_a_run_are_kept_and_no_solver_files(arena):
    sealed, paths = arena
    for number in range(12):
        attempt_that_prints(sealed, paths, f"attempt {number}\n")
        sealed.take_back_everything("stopped")
    other = paths.attempts / "11-1-0123abcd"
    (other / "submission").mkdir(parents=True)
    tidy_attempts(paths, 1)
    texts = [log.text for log in read_logs(sealed, paths, 1, is_organizer=True)]
    assert texts == [""] * (12 - MAX_VOID_LOGS) + ["attempt 9\n", "attempt 10\n", "attempt 11\n"]
    assert list(paths.attempts.glob("1-*/submission")) == []
    assert (other / "submission").is_dir(), "another run's"
