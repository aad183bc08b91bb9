import csv
import dataclasses
import io
import json
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sample_arena import sample_round
from starlette.requests import Request
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import UsageError
from harness.store.public import reader
from leaderboard.api import routes
from leaderboard.export import board_csv, board_document
from leaderboard.markup import Column, text_table
from leaderboard.static_board import board_page, write_static_board


def test_csv_has_raw_scores_of_complete_entries_in_order(sample_board):
    rows = list(csv.DictReader(io.StringIO(board_csv(sample_board))))
    complete = [entry for entry in sample_board.entries if entry.is_complete]
    assert [int(row["submission"]) for row in rows] == [entry.submission_id for entry in complete]
    assert [float(row["score"]) for row in rows] == [entry.score for entry in complete]
    assert [row["rank"] for row in rows] == [str(entry.rank or "") for entry in complete]


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "\tx"])
def test_csv_gives_a_spreadsheet_no_formula_and_json_the_name_itself(sample_board, name):
    entry = dataclasses.replace(sample_board.entries[0], team=name)
    board = dataclasses.replace(sample_board, entries=(entry,))
    (row,) = csv.DictReader(io.StringIO(board_csv(board)))
    assert row["team"] == f"'{name}"
    assert board_document(board)["entries"][0]["team"] == name


def test_document_is_json_and_holds_incomplete_entries_too(sample_board):
    document = json.loads(json.dumps(board_document(sample_board)))
    assert len(document["entries"]) == len(sample_board.entries)
    assert document["uploads"][0]["label"] == "predictions only, calls not metered"


def test_document_calls_ranked_who_has_a_rank(sample_board):
    entries = board_document(sample_board)["entries"]
    assert [each["is_ranked"] for each in entries] == [each["rank"] is not None for each in entries]
    assert {each["is_ranked"] for each in entries if each["status"] == "cancelled"} == {False}


def test_page_escapes_what_people_wrote_and_needs_nothing_from_outside(sample_board):
    hostile = dataclasses.replace(sample_board.entries[0], team="<script>alert(1)</script>", solver='"><img src=x>')
    board = dataclasses.replace(sample_board, entries=(hostile, *sample_board.entries[1:]))
    page = board_page(board, [board.round])
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "http://" not in page
    assert "https://" not in page


def test_keyboard_reaches_every_table_that_may_scroll(sample_board):
    page = board_page(sample_board, [sample_board.round])
    table = text_table("What it <holds>", [Column("x", is_heading=True)], [["1"]])
    for html, frame, names in (
        (page, "frame", re.findall("<caption>(.*?)</caption>", page)),
        (table, "ga-scroll", ["What it &lt;holds&gt;"]),
    ):
        reached = re.findall(f'<div class="{frame}" tabindex="0" role="region" aria-label="(.*?)">', html)
        assert reached == names
    assert page.count("<table>") == len(re.findall("<caption>", page)) == 3


def test_page_of_an_empty_board_says_so(sample_board):
    board = dataclasses.replace(sample_board, entries=(), uploads=())
    assert "The first complete one leads" in board_page(board, [board.round])


def test_command_writes_three_files(sample_db, tmp_path):
    done = CliRunner().invoke(app, ["board", "--home", str(sample_db.parent), "--static", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert written == {"board.html", "api/leaderboard.json", "api/leaderboard.csv"}
    page = (tmp_path / "out" / "board.html").read_text()
    assert 'href="api/leaderboard.csv"' in page
    assert "Ivory Moths" in page


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--round", "sample"], "it chooses what --static writes"),
        (["--organizer", "--round", "sample"], "it chooses what --static writes"),
        (["--organizer", "--static", "out"], "private scores are never written to files"),
    ],
)
def test_command_refuses_options_that_it_would_ignore(sample_db, tmp_path, monkeypatch, options, expected):
    def serve(*_):
        pytest.fail("a server was started")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.cli.board.os.execve", serve)
    monkeypatch.setattr("harness.cli.board._serve_organizer", serve)
    done = CliRunner().invoke(app, ["board", "--home", str(sample_db.parent), *options])
    assert isinstance(done.exception, UsageError)
    assert expected in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_static_board_of_an_unknown_round_or_place_is_refused(sample_db, tmp_path):
    with pytest.raises(UsageError, match="no round x"):
        write_static_board(sample_db, tmp_path, "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_static_board(sample_db, tmp_path / "file")


@pytest.fixture
def served(sample_db):
    """Give what the server answers to a path and its round."""
    endpoints = {route.path: route.endpoint for route in routes(lambda: sample_db)}

    def answer(path, name=""):
        scope = {"type": "http", "path": path, "headers": [], "query_string": f"round={name}".encode()}
        return endpoints[path](Request(scope))

    return answer


def test_served_phase_follows_the_clock_while_the_store_stays_as_it_is(served, monkeypatch):
    first = served("/api/leaderboard.json")
    assert json.loads(first.body)["round"]["phase"] == "open"
    assert served("/api/leaderboard.json").headers["ETag"] == first.headers["ETag"]
    later = sample_round().round.closes + timedelta(seconds=1)
    monkeypatch.setattr(reader, "datetime", SimpleNamespace(now=lambda _zone: later))
    second = served("/api/leaderboard.json")
    assert json.loads(second.body)["round"]["phase"] == "closed"
    assert second.headers["ETag"] != first.headers["ETag"]
    assert b"phase closed" in served("/board.html").body
