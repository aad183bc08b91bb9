"""Handing in by the web page: a good zip, a bad one, and a board that takes none."""

import pytest
from in_store import read, write
from live_board import serve_board
from uploads import GOOD_FILES, zip_of

from harness.config import load_round
from harness.rounds.lifecycle import create_round
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import list_submissions
from harness.store.sealed.teams import add_team
from harness.worker.spool_intake import take_in_uploads

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def toy_arena(tmp_path_factory):
    paths = ArenaPaths(tmp_path_factory.mktemp("toy"))
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        create_round(sealed, publisher, load_round("toy"))
        yield sealed, publisher, paths


@pytest.fixture(scope="module")
def token(toy_arena):
    return write(toy_arena[0], add_team, "Lynx")


@pytest.fixture(scope="module")
def address(toy_arena, token, tmp_path_factory):
    _, _, paths = toy_arena
    log = tmp_path_factory.mktemp("log") / "streamlit.txt"
    with serve_board(paths.public_db, log, spool=paths.spool) as address:
        yield address
        assert token not in log.read_text()


def hand_in(visitor, token, archive):
    visitor.open("/submit")
    visitor.page.get_by_label("Team token", exact=True).fill(token)
    visitor.page.locator("input[type=file]").set_input_files(
        {"name": "mine.zip", "mimeType": "application/zip", "buffer": archive}
    )
    visitor.page.get_by_text("mine.zip").wait_for()
    visitor.settle()
    visitor.page.get_by_role("button", name="Submit", exact=True).click()


def test_good_zip_is_accepted_and_can_be_followed(visit, toy_arena, token):
    sealed, _, _ = toy_arena
    visitor = visit(deep_link=True)
    hand_in(visitor, token, zip_of(GOOD_FILES))
    visitor.page.get_by_text("waiting for intake").wait_for()
    assert read(sealed, list_submissions) == ()
    take_in_uploads(*toy_arena)
    (submission,) = read(sealed, list_submissions)
    visitor.page.get_by_text(f"Accepted as submission {submission.submission_id}").wait_for()
    visitor.page.get_by_role("link", name=f"Follow submission {submission.submission_id}").click()
    visitor.page.get_by_role("heading", name="by upload").wait_for()


def test_bad_zip_is_refused_in_plain_words(visit, toy_arena, token):
    visitor = visit(deep_link=True)
    hand_in(visitor, token, zip_of({"readme.txt": "no solver here"}))
    visitor.page.get_by_text("waiting for intake").wait_for()
    take_in_uploads(*toy_arena)
    visitor.page.get_by_text("Not accepted").wait_for()
    assert "solver.toml" in visitor.page.locator("[data-testid=stAlert]").inner_text()
    hand_in(visitor, token, b"not a zip at all")
    visitor.page.get_by_text("this file is not a zip").wait_for()


def test_missing_token_and_missing_file_are_asked_for(visit):
    visitor = visit(deep_link=True)
    visitor.open("/submit")
    visitor.page.get_by_role("button", name="Submit", exact=True).click()
    visitor.page.get_by_text("Enter your team's token").wait_for()
