"""A board while the arena goes on, and every state that it can be in."""

import pytest
from live_board import serve_board
from sample_arena import _run_all, build_sample_arena, sample_round

from harness.store import ArenaPaths, Phase, Publisher, SealedStore

pytestmark = pytest.mark.browser

POLL_MS = 60_000
"""Longer than the board's own interval of looking for new results."""


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path / "arena")
    build_sample_arena(paths, n_teams=3, kshot_seeds=(8, 13))
    return paths


@pytest.fixture
def address(arena, tmp_path):
    with serve_board(arena.public_db, tmp_path / "streamlit.txt", spool=arena.spool) as address:
        yield address


def hand_in(paths, team, level):
    """Let a team hand in something that runs to its end; publish."""
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        sealed.ensure_team(team)
        sealed.add_submission("sample", team, "newcomer", team.encode().hex().ljust(64, "0"), "x")
        _run_all(sealed, level)
        publisher.publish()


def move(paths, phase):
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        sealed.set_phase("sample", phase)
        publisher.publish()


def test_new_results_are_offered_and_never_forced(visit, arena):
    visitor = visit()
    visitor.open()
    before = visitor.rows()
    assert visitor.page.get_by_text("New results: refresh").count() == 0
    hand_in(arena, "Late Winner", 99.0)
    offer = visitor.page.get_by_role("button", name="New results: refresh")
    offer.wait_for(timeout=POLL_MS)
    assert visitor.rows() == before
    offer.click()
    visitor.page.wait_for_function(
        "document.querySelector('[data-testid=stDataFrame] canvas tbody tr')?.cells[1].innerText == 'Late Winner'"
    )


def test_frozen_board_stands_still_until_it_is_opened_again(visit, arena):
    move(arena, Phase.FROZEN)
    visitor = visit()
    visitor.open()
    visitor.page.get_by_text("The board stands still since").wait_for()
    before = visitor.rows()
    hand_in(arena, "Late Winner", 99.0)
    visitor.page.reload()
    visitor.settle()
    assert visitor.rows() == before
    visitor.page.locator("table", has_text="Late Winner").wait_for()
    assert "99" not in visitor.table("Submissions that are not complete")[-1][2]
    move(arena, Phase.OPEN)
    visitor.page.reload()
    visitor.settle()
    assert visitor.rows()[0][1] == "Late Winner"
    assert visitor.page.get_by_text("The board stands still since").count() == 0


def test_closed_round_says_so_and_takes_nothing(visit, arena):
    move(arena, Phase.CLOSED)
    visitor = visit(deep_link=True)
    visitor.open()
    visitor.page.locator(".ga-cards dd.ga-value", has_text="Closed").wait_for()
    visitor.open("/submit")
    visitor.page.get_by_text("This round takes no submissions").wait_for()


@pytest.fixture
def empty_round(tmp_path):
    paths = ArenaPaths(tmp_path / "empty")
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        sealed.add_round(sample_round(kshot_seeds=(8,)))
        publisher.publish()
    return paths


def test_empty_round_and_one_in_which_nothing_is_scored_have_their_own_words(visit, empty_round, tmp_path):
    with serve_board(empty_round.public_db, tmp_path / "empty.txt") as address:
        visitor = visit(deep_link=True)
        visitor.address = address
        visitor.open()
        visitor.page.get_by_text("No submission yet. The first complete one leads.").wait_for()
        visitor.open("/task")
        visitor.page.get_by_text("there is nothing to compare on this task").wait_for()
        visitor.open("/submissions")
        visitor.page.get_by_text("No submission matches").wait_for()
        with SealedStore.open(empty_round) as sealed, Publisher.open(empty_round, sealed) as publisher:
            sealed.ensure_team("Lynx")
            sealed.add_submission("sample", "Lynx", "waits", "a" * 64, "x")
            publisher.publish()
        visitor.open()
        visitor.page.get_by_text("No submission is complete yet. The first complete one leads.").wait_for()
        assert [row[:2] for row in visitor.table("Submissions that are not complete")] == [["Lynx", "waits"]]
