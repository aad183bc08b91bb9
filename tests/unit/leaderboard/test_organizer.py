"""The organizer's view: who is let in, what is shown, and that nothing can be written."""

import sqlite3
import sys

import pytest
from in_store import read
from starlette.testclient import TestClient

from harness.config import load_round
from harness.errors import UsageError
from harness.rounds.lifecycle import create_round
from harness.rounds.organizer_view import OrganizerStore
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.public.publisher import Publisher
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import get_submission, list_submissions
from leaderboard.organizer.access import organizer_token
from leaderboard.organizer.app import detail_text, organizer_app

TOKEN = "t" * 43
HOST = "127.0.0.1:8502"


@pytest.fixture(scope="module")
def view(sample_paths):
    with SealedStore.open_to_read(sample_paths.sealed_db) as sealed:
        yield OrganizerStore(sealed)


@pytest.fixture(scope="module")
def standings(view):
    return view.standings("sample")


def client_of(view):
    return TestClient(organizer_app(view, TOKEN, [HOST]), base_url=f"http://{HOST}")


@pytest.fixture(scope="module")
def anybody(view):
    return client_of(view)


@pytest.fixture
def get(anybody):
    return lambda path: anybody.get(path, auth=("organizer", TOKEN))


@pytest.mark.parametrize("path", ["/", "/events", "/submission?id=1", "/nothing"])
@pytest.mark.parametrize("password", [None, "", "t" * 42, TOKEN + "t"])
def test_nobody_without_the_token_learns_anything(anybody, path, password):
    answer = anybody.get(path, auth=None if password is None else ("organizer", password))
    assert answer.status_code == 401
    assert answer.text == "the organizer's token is required\n"
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("header", ["Basic", "Basic %%%", f"Bearer {TOKEN}", "Basic dA=="])
def test_other_credentials_are_refused(anybody, header):
    assert anybody.get("/", headers={"Authorization": header}).status_code == 401


def test_token_in_the_address_is_no_token(anybody):
    assert anybody.get(f"/?token={TOKEN}").status_code == 401


def test_name_that_a_stranger_pointed_here_is_not_answered(anybody):
    answer = anybody.get("/", auth=("organizer", TOKEN), headers={"Host": "evil.test:8502"})
    assert answer.status_code == 421
    assert "sample" not in answer.text


def test_round_page_shows_private_scores_and_held_runs_with_their_faults(get, standings):
    page = get("/")
    assert page.status_code == 200
    for entry in standings:
        assert f"{entry.private:.2f}" in page.text
        assert f"{entry.public:.2f}" in page.text
    assert "2 platform errors in a row" in page.text
    assert "the device was lost; the device was lost" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_submission_page_shows_both_scores_attempts_and_its_events(get, sample_paths, standings):
    with SealedStore.open_to_read(sample_paths.sealed_db) as sealed:
        held = next(each for each in read(sealed, list_submissions) if any(run.is_held for run in each.runs))
        best = read(sealed, get_submission, standings[0].submission_id)
    page = get(f"/submission?id={best.submission_id}").text
    assert all(f"{run.score_private:.2f}" in page for run in best.runs)
    page = get(f"/submission?id={held.submission_id}").text
    assert page.count("the device was lost") >= 2
    assert "attempt void" in page
    assert "submission added" in page
    assert f"gradfree logs {held.submission_id} --organizer" in page


def test_an_older_version_of_a_round_is_reached_by_its_full_name(tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        config = load_round("toy")
        for version in ("1.0", "1.1"):
            create_round(
                sealed,
                publisher,
                config.model_copy(update={"round": config.round.model_copy(update={"version": version})}),
            )
    with SealedStore.open_to_read(paths.sealed_db) as sealed:
        client = client_of(OrganizerStore(sealed))
        newest, older = (client.get(f"/{query}", auth=("organizer", TOKEN)).text for query in ("", "?round=toy@1.0"))
    assert "Round toy 1.1" in newest
    assert 'href="/?round=toy%401.0"' in newest
    assert "Round toy 1.0" in older
    assert 'href="/?round=toy"' in older


def test_detail_names_digests_by_their_beginning():
    assert detail_text({"team": "Lynx", "digest": "ab" * 32, "runs": 25}) == (
        "team Lynx; digest abababababab…; runs 25"
    )


def test_events_are_paged_newest_first(get):
    first, second = get("/events").text, get("/events?page=2").text
    assert "Page 1 of" in first
    assert first.count("<tr>") == 101
    assert first != second


@pytest.mark.parametrize("path", ["/?round=x", "/submission?id=9999", "/submission?id=x", "/events?page=-1"])
def test_what_does_not_exist_is_said_in_plain_words(get, path):
    answer = get(path)
    assert answer.status_code == 404
    assert "Traceback" not in answer.text


def test_order_is_the_one_that_publication_gives(standings, published_db):
    expected = standings
    with PublicStore.open(published_db) as store:
        published = [entry for entry in store.board("sample").entries if entry.is_complete]
    assert [entry.submission_id for entry in published] == [entry.submission_id for entry in expected]
    assert [entry.rank for entry in published] == [entry.private_rank for entry in expected]
    assert [entry.score for entry in published] == [pytest.approx(entry.private) for entry in expected]


def test_public_ranks_are_those_of_the_board(sample_db, standings):
    with PublicStore.open(sample_db) as store:
        board = {entry.submission_id: entry for entry in store.board("sample").entries if entry.is_complete}
    assert {entry.submission_id: entry.public_rank for entry in standings} == {
        number: entry.rank for number, entry in board.items()
    }


def test_store_of_the_organizer_cannot_be_written_through(sample_paths):
    with (
        SealedStore.open_to_read(sample_paths.sealed_db) as store,
        store.engine.connect() as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.connection.execute("DELETE FROM runs")


def test_token_is_drawn_once_into_a_file_of_its_owner_alone(tmp_path):
    path = tmp_path / "token"
    token = organizer_token(path)
    assert len(token) >= 43
    assert path.stat().st_mode & 0o777 == 0o600
    assert organizer_token(path) == token


def test_token_that_others_can_read_or_guess_is_refused(tmp_path):
    path = tmp_path / "token"
    organizer_token(path)
    path.chmod(0o640)
    with pytest.raises(UsageError, match="mode 0640"):
        organizer_token(path)
    path.chmod(0o600)
    path.write_text("short\n")
    with pytest.raises(UsageError, match="holds 5 characters"):
        organizer_token(path)


def test_view_listens_on_this_machine_alone(tmp_path, capsys):
    from harness.cli.board import board

    with pytest.raises(UsageError, match="ssh -L"):
        board(home=tmp_path, host="0.0.0.0", is_organizer=True)


OPENED = []
sys.addaudithook(lambda event, args: OPENED.append(str(args[0])) if event in {"open", "sqlite3.connect"} else None)


@pytest.mark.parametrize(
    ("page", "parameters"),
    [
        (None, {}),
        ("submission", {"id": "1"}),
        ("task", {}),
        ("compare", {"ids": "1,3"}),
        ("submissions", {}),
        ("rules", {}),
        ("submit", {}),
    ],
)
def test_public_pages_open_the_public_store_and_never_the_sealed_one(sample_db, open_app, page, parameters):
    from leaderboard import source

    source._open.clear()
    OPENED.clear()
    open_app(sample_db, page, **parameters)
    assert any("public.db" in path for path in OPENED)
    assert not [path for path in OPENED if "sealed" in path]


def test_opening_the_sealed_store_would_be_noticed(sample_paths):
    OPENED.clear()
    with SealedStore.open_to_read(sample_paths.sealed_db) as sealed:
        OrganizerStore(sealed).rounds()
    assert any("sealed.db" in path for path in OPENED)
