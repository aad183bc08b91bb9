"""Uploads of the web page become submissions by the same checks as on the command line."""

import pytest
from uploads import GOOD_FILES, zip_of

from harness.config import load_round
from harness.errors import InfrastructureError, UsageError
from harness.rounds.lifecycle import create_round
from harness.rounds.spool_intake import take_in_uploads
from harness.store import ArenaPaths, Publisher, SealedStore
from harness.store.spool import Spool


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        create_round(sealed, publisher, load_round("toy"))
        sealed.ensure_team("Lynx")
        yield sealed, publisher, paths


def team_of_token(token):
    if token != "right":
        raise UsageError("this token belongs to no team of this arena")
    return "Lynx"


def test_good_upload_becomes_a_submission_of_the_tokens_team(arena):
    sealed, _, paths = arena
    spool = Spool(paths.spool)
    number = spool.drop("toy", "right", zip_of(GOOD_FILES))
    assert take_in_uploads(*arena, team_of_token) == 1
    (submission,) = sealed.list_submissions()
    assert (submission.team, submission.name) == ("Lynx", "by upload")
    assert spool.answer_to(number).submission_id == submission.submission_id
    assert take_in_uploads(*arena, team_of_token) == 0


@pytest.mark.parametrize(
    ("round_name", "token", "archive", "words"),
    [
        ("toy", "wrong", zip_of(GOOD_FILES), "belongs to no team"),
        ("nothing", "right", zip_of(GOOD_FILES), "no round nothing"),
        ("toy", "right", zip_of({"solver.py": ""}), "solver.toml"),
        ("toy", "right", zip_of(GOOD_FILES | {"big.py": "#" * 70_000}), "65536"),
        ("toy", "right", b"PK\x03\x04 broken", "not a readable zip"),
    ],
)
def test_bad_upload_is_answered_in_the_words_of_the_command_line(arena, round_name, token, archive, words):
    sealed, _, paths = arena
    spool = Spool(paths.spool)
    number = spool.drop(round_name, token, archive)
    assert take_in_uploads(*arena, team_of_token) == 0
    answer = spool.answer_to(number)
    assert answer.submission_id is None
    assert words in answer.message
    assert sealed.list_submissions() == ()


def test_fault_of_ours_leaves_the_upload_for_the_next_time(arena):
    _, _, paths = arena
    Spool(paths.spool).drop("toy", "right", zip_of(GOOD_FILES))

    def broken(token):
        raise InfrastructureError("the database is locked")

    assert take_in_uploads(*arena, broken) == 0
    assert take_in_uploads(*arena, team_of_token) == 1
