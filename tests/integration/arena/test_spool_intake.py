"""Uploads of the web page become submissions by the same checks as on the command line."""

import errno
import os
import signal
import time
from types import SimpleNamespace

import pytest
from in_store import read, write
from store_steps import quota, to_phase
from uploads import GOOD_FILES, zip_of

from harness.config import load_round
from harness.errors import InfrastructureError
from harness.records import Phase
from harness.rounds.lifecycle import create_round
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed import teams
from harness.store.sealed.events import read_events
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import list_submissions, submission_of_upload
from harness.store.values import Quota
from harness.worker import spool_intake
from harness.worker import spool_reader as spool_module
from harness.worker.spool_intake import intake_running, take_in_uploads
from harness.worker.spool_reader import SpoolReader


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        create_round(sealed, publisher, load_round("toy"))
        yield sealed, publisher, paths


@pytest.fixture
def token(arena):
    return write(arena[0], teams.add_team, "Lynx")


def test_good_upload_becomes_a_submission_of_the_tokens_team(arena, token):
    sealed, _, paths = arena
    spool = SpoolReader(paths.spool)
    number = spool.drop("toy", token, zip_of(GOOD_FILES))
    assert take_in_uploads(*arena) == 1
    (submission,) = read(sealed, list_submissions)
    assert (submission.team, submission.name) == ("Lynx", "by upload")
    assert spool.answer_to(number).submission_id == submission.submission_id
    assert take_in_uploads(*arena) == 0


@pytest.mark.parametrize(
    ("round_name", "is_right", "archive", "words"),
    [
        ("toy", False, zip_of(GOOD_FILES), "belongs to no team"),
        ("nothing", True, zip_of(GOOD_FILES), "no round nothing"),
        ("toy", True, zip_of({"solver.py": ""}), "solver.toml"),
        ("toy", True, zip_of(GOOD_FILES | {"big.py": "#" * 70_000}), "65536"),
        ("toy", True, b"PK\x03\x04 broken", "not a readable zip"),
    ],
)
def test_bad_upload_is_answered_in_the_words_of_the_command_line(arena, token, round_name, is_right, archive, words):
    sealed, _, paths = arena
    spool = SpoolReader(paths.spool)
    number = spool.drop(round_name, token if is_right else "wrong", archive)
    assert take_in_uploads(*arena) == 0
    answer = spool.answer_to(number)
    assert answer.submission_id is None
    assert words in answer.message
    assert read(sealed, list_submissions) == ()


def test_used_up_quota_is_answered_in_the_words_of_the_command_line(arena, token):
    sealed, _, paths = arena
    spool = SpoolReader(paths.spool)
    limit = quota(sealed, "Lynx").max_per_day
    numbers = [spool.drop("toy", token, zip_of(GOOD_FILES)) for _ in range((limit or 0) + 1)]
    take_in_uploads(*arena)
    answers = [spool.answer_to(number) for number in numbers]
    if limit is None:
        assert answers[0].submission_id is not None
    else:
        assert "has used its quota" in answers[-1].message


@pytest.mark.parametrize("why", ["the round is closed", "the quota is used up"])
def test_of_a_refused_upload_nothing_stays_on_the_disk(arena, token, monkeypatch, why):
    sealed, _, paths = arena
    spool = SpoolReader(paths.spool)
    if why == "the round is closed":
        to_phase(sealed, Phase.CLOSED)
    else:
        monkeypatch.setattr("harness.store.sealed.teams.quota_of", lambda *_: Quota(1, 1, 0, 0, 1, 1))
    number = spool.drop("toy", token, zip_of(GOOD_FILES))
    assert take_in_uploads(*arena) == 0
    assert ("not open" if why == "the round is closed" else "has used its quota") in spool.answer_to(number).message
    assert list(paths.submissions.iterdir()) == []


def test_upload_that_breaks_a_parser_is_answered_and_the_next_one_taken_in(arena, token, monkeypatch):
    sealed, _, paths = arena
    spool = SpoolReader(paths.spool)
    poison, good = (spool.drop("toy", token, zip_of(GOOD_FILES | {"x.py": text})) for text in ("1", "2"))
    take = spool_intake.submit

    def breaks(*arguments, **options):
        monkeypatch.setattr(spool_intake, "submit", take)
        raise RecursionError("what nobody foresaw")

    monkeypatch.setattr(spool_intake, "submit", breaks)
    assert take_in_uploads(*arena) == 1
    assert "could not be read (RecursionError)" in spool.answer_to(poison).message
    assert spool.answer_to(good).submission_id == read(sealed, list_submissions)[0].submission_id


def test_fault_of_ours_leaves_the_upload_for_the_next_time(arena, token, monkeypatch):
    _, _, paths = arena
    SpoolReader(paths.spool).drop("toy", token, zip_of(GOOD_FILES))

    def broken(*_):
        raise InfrastructureError("the database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(teams, "team_of_token", broken)
        assert take_in_uploads(*arena) == 0
    assert take_in_uploads(*arena) == 1


@pytest.mark.parametrize("moment", ["before the answer", "before the removal"])
def test_intake_killed_after_accepting_an_upload_takes_it_in_once(arena, token, moment):
    sealed, _, paths = arena
    spool = SpoolReader(paths.spool)
    number = spool.drop("toy", token, zip_of(GOOD_FILES))
    sealed.engine.dispose()
    child = os.fork()
    if child == 0:
        # As `kill -9` would: no handler runs, nothing is put in order.
        def die(*_arguments, **_options):
            os.kill(os.getpid(), signal.SIGKILL)

        if moment == "before the answer":
            SpoolReader.settle = die
        else:
            spool_module.shutil = SimpleNamespace(rmtree=die)
        with SealedStore.open(paths) as own, Publisher.open(paths, own) as its_publisher:
            take_in_uploads(own, its_publisher, paths)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    (submission,) = read(sealed, list_submissions)
    # Whatever has changed since: the submission is there, and that is the answer.
    with sealed.write() as tx:
        teams.rotate_token(tx, teams.find_team(tx, "Lynx"))
    to_phase(sealed, Phase.CLOSED)
    assert take_in_uploads(*arena) == 1
    assert [item.submission_id for item in read(sealed, list_submissions)] == [submission.submission_id]
    assert spool.answer_to(number).submission_id == submission.submission_id
    assert list(spool.waiting()) == []
    assert quota(sealed, "Lynx").used == 1
    assert [event.kind for event in read(sealed, read_events)].count("submission added") == 1


def test_intake_goes_on_after_a_full_disk(arena, token, monkeypatch):
    _, _, paths = arena
    spool = SpoolReader(paths.spool)
    with monkeypatch.context() as patch:
        patch.setattr(SpoolReader, "settle", _no_space)
        with intake_running(*arena):
            number = spool.drop("toy", token, zip_of(GOOD_FILES))
            deadline = time.monotonic() + 30
            while read(arena[0], submission_of_upload, number) is None and time.monotonic() < deadline:
                time.sleep(0.05)
            patch.undo()
            while spool.answer_to(number) is None and time.monotonic() < deadline:
                time.sleep(0.05)
    assert spool.answer_to(number).submission_id == read(arena[0], submission_of_upload, number) == 1


def _no_space(*_arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_running_intake_answers_by_itself(arena, token):
    _, _, paths = arena
    spool = SpoolReader(paths.spool)
    with intake_running(*arena):
        number = spool.drop("toy", token, zip_of(GOOD_FILES))
        deadline = time.monotonic() + 30
        while spool.answer_to(number) is None and time.monotonic() < deadline:
            time.sleep(0.05)
    assert spool.answer_to(number).submission_id == 1
