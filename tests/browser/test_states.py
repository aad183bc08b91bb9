"""A board while the arena goes on, and every state that a round can be in: one arena, served once."""

import pytest
from in_store import write
from live_board import serve_board
from sample_arena import _run_all, build_sample_arena, publish_sample_arena, sample_round
from store_steps import enter, to_phase

from harness.records import Phase
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.public.publisher import Publisher
from harness.store.sealed.claims import claim_run
from harness.store.sealed.rounds import add_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.teams import ensure_team

pytestmark = pytest.mark.browser

POLL_MS = 60_000
"""Longer than the board's own interval of looking for new results."""
SAMPLE, EMPTY = "/?round=sample", "/?round=empty"


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    paths = ArenaPaths(tmp_path_factory.mktemp("states"))
    build_sample_arena(paths, n_teams=2, kshot_seeds=(8, 13))
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, add_round, sample_round("empty", kshot_seeds=(8,)))
        publisher.publish()
    return paths


@pytest.fixture(scope="module")
def address(arena, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "streamlit.txt"
    with serve_board(arena.public_db, log, spool=arena.spool) as address:
        yield address


def hand_in(paths, round_name, team, level=None):
    """Let a team hand in something, and run it to its end if a level is given; publish."""
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, ensure_team, team)
        digest = team.encode().hex().ljust(64, "0")
        enter(sealed, team, "newcomer", round_name=round_name, digest=digest)
        if level is not None:
            _run_all(sealed, level)
        publisher.publish()


def leader(paths):
    with PublicStore.open(paths.public_db) as store:
        return store.board("sample").entries[0]


def move(paths, phase):
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        to_phase(sealed, phase, "sample")
        publisher.publish()


def test_progress_of_a_running_submission_moves_while_one_looks(visit, arena):
    with SealedStore.open(arena) as sealed, Publisher.open(arena, sealed) as publisher:
        claim = write(sealed, claim_run, "w", 600)
        publisher.publish()
        publisher.report(claim, 7, 0.9)
        visitor = visit(deep_link=True)
        visitor.open(f"/submission?id={claim.submission_id}")
        visitor.page.get_by_role("cell", name=f"7 of {claim.budget_calls:,}").wait_for()
        publisher.report(claim, 1234, 0.5)
        visitor.page.get_by_role("cell", name=f"1,234 of {claim.budget_calls:,}").wait_for()
        visitor.page.get_by_text("0.5000").wait_for()


def test_new_results_are_offered_and_never_forced(visit, arena):
    visitor = visit()
    visitor.open(SAMPLE)
    before = visitor.rows()
    offer = visitor.page.get_by_role("button", name="New results: refresh")
    assert offer.count() == 0
    hand_in(arena, "sample", "Late Winner", 98.0)
    assert leader(arena).solver not in before[0]
    offer.wait_for(timeout=POLL_MS)
    assert visitor.rows() == before
    offer.click()
    visitor.page.wait_for_function(
        "name => document.querySelector('[data-testid=stDataFrame] canvas tbody tr')?.cells[2].innerText == name",
        arg=leader(arena).solver,
    )
    # What a run does not show any more goes when it ends, after the table has come.
    visitor.settle()
    assert offer.count() == 0


def test_frozen_board_stands_still_until_it_is_opened_again(visit, arena):
    move(arena, Phase.FROZEN)
    visitor = visit()
    visitor.open(SAMPLE)
    visitor.page.get_by_text("Board frozen since").wait_for()
    before = visitor.rows()
    hand_in(arena, "sample", "Latest Winner", 99.5)
    visitor.page.reload()
    visitor.settle()
    assert visitor.rows() == before
    visitor.page.locator("table", has_text="Latest Winner").wait_for()
    unfinished = visitor.table("Submissions that are not complete")
    (hidden,) = [row for row in unfinished if row[0] == "Latest Winner"]
    assert not any("9" in cell for cell in hidden[2:5])
    move(arena, Phase.OPEN)
    visitor.page.reload()
    visitor.settle()
    assert visitor.rows()[0][2] == leader(arena).solver == "newcomer"
    assert visitor.page.get_by_text("Board frozen since").count() == 0


def test_empty_round_and_one_in_which_nothing_is_scored_have_their_own_words(visit, arena):
    visitor = visit(deep_link=True)
    visitor.open(EMPTY)
    visitor.page.get_by_text("No submission yet. The first complete one leads.").wait_for()
    for path, words in {
        "/task?round=empty": "there are no scores to compare on this task",
        "/submissions?round=empty": "No submission matches",
        "/rules?round=empty": "How it is scored",
        "/board.html?round=empty": "No submission is complete yet",
    }.items():
        visitor.open(path)
        visitor.page.get_by_text(words).wait_for()
    hand_in(arena, "empty", "Lynx")
    visitor.open(EMPTY)
    visitor.page.get_by_text("No submission is complete yet. The first complete one leads.").wait_for()
    assert [row[0] for row in visitor.table("Submissions that are not complete")] == ["Lynx"]


def test_closed_round_says_so_and_takes_nothing(visit, arena):
    move(arena, Phase.CLOSED)
    visitor = visit(deep_link=True)
    visitor.open(SAMPLE)
    visitor.page.locator(".ga-cards dd.ga-value", has_text="Closed").wait_for()
    visitor.open("/submit?round=sample")
    visitor.page.get_by_text("This round accepts no submissions").wait_for()
    move(arena, Phase.OPEN)


def test_published_round_shows_private_scores_and_confusion_matrices(visit, arena):
    """Publication is for ever, so this test stands last."""
    publish_sample_arena(arena)
    first = leader(arena)
    visitor = visit(deep_link=True)
    visitor.open(SAMPLE)
    visitor.page.get_by_text("on private test rows").first.wait_for()
    assert float(visitor.rows()[0][3]) == pytest.approx(first.score)
    visitor.open(f"/submission?id={first.submission_id}")
    matrix = "Confusion matrix on {}, in % of the true class"
    assert len(visitor.table(matrix.format("sst2"))) == 2
    visitor.page.get_by_role("radio", name="dbpedia").click()
    assert len(visitor.table(matrix.format("dbpedia"))) == 14
