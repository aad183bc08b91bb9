"""The leaderboard in a real browser. Each test also fails on a console error or an external request."""

import re
import struct

import pytest

pytestmark = pytest.mark.browser


def test_board_shows_the_ranking_and_opens_a_submission(visit, board):
    visitor = visit()
    visitor.open()
    rows = visitor.rows()
    assert [row[0] for row in rows] == [str(entry.rank or "") for entry in board.entries]
    assert [row[3] for row in rows] == [entry.team for entry in board.entries]
    visitor.click_cell(0, 90)
    visitor.page.wait_for_url(re.compile(r"/submission\?id=\d+"), timeout=30_000)
    visitor.settle()
    visitor.page.get_by_role("heading", name=board.entries[0].name).wait_for()
    visitor.page.get_by_text("rank 1", exact=True).wait_for()
    assert [row[0] for row in visitor.rows(0)] == [task.name for task in board.round.tasks]
    visitor.page.get_by_text("← Leaderboard").click()
    visitor.page.get_by_text("Score against calls").wait_for()
    assert "id=" not in visitor.page.url


def test_browser_back_returns_to_the_board(visit, board):
    visitor = visit()
    visitor.open()
    visitor.rows()
    visitor.click_cell(1, 90)
    visitor.page.get_by_text("Scores per task and seed").wait_for()
    visitor.page.go_back()
    visitor.page.get_by_text("Score against calls").wait_for()
    visitor.settle()
    assert len(visitor.rows()) == len(board.entries)


def test_search_narrows_the_table_and_stays_in_the_address(visit):
    visitor = visit()
    visitor.open()
    visitor.rows()
    box = visitor.page.get_by_label("Search team or solver")
    box.fill("ivory")
    box.press("Enter")
    visitor.page.wait_for_url(re.compile("q=ivory"))
    visitor.page.wait_for_function(
        "document.querySelector('[data-testid=stDataFrame]').querySelectorAll('canvas tbody tr').length == 1"
    )
    assert visitor.rows()[0][3] == "Ivory Moths"


def test_uploads_and_unofficial_results_are_marked_where_they_stand(visit, board, hostile):
    visitor = visit()
    visitor.open()
    visitor.page.get_by_role("heading", name="Predictions only, calls not metered").wait_for()
    ranking, uploads = visitor.rows(0), visitor.rows(1)
    (marked,) = [row for row in ranking if row[-1] == "OK, unofficial: no sandbox"]
    assert (marked[0], marked[3]) == ("", "example")
    assert [row[0] for row in uploads] == [upload.name for upload in board.uploads] == ["Unmetered", hostile]
    assert visitor.page.locator("img[src*='example.test'], a[href*='example.test']").count() == 0


def test_private_scores_never_reach_the_browser(visit, board, private_scores):
    visitor = visit()
    visitor.open()
    visitor.rows()
    visitor.click_cell(0, 90)
    visitor.page.get_by_text("Scores per task and seed").wait_for()
    visitor.rows(1)
    # The control: what is public does arrive, in the very form that is searched for.
    assert struct.pack("<d", board.entries[0].score) in visitor.received
    assert not any(score in visitor.received for score in private_scores)


def test_names_written_as_markup_stay_text(visit, board):
    visitor = visit()
    visitor.open()
    row = next(number for number, entry in enumerate(board.entries) if entry.name.startswith("<img"))
    assert visitor.rows()[row][3] == board.entries[row].name
    visitor.click_cell(row, 90)
    visitor.page.get_by_role("heading", name="<img src=http").wait_for()
    assert visitor.page.locator("img[src*='example.test'], a[href*='example.test']").count() == 0


@pytest.mark.parametrize("path", ["/", "/rules", "/submission?id=1"])
def test_narrow_screen_cuts_nothing(visit, path):
    visitor = visit(390, 844, deep_link=path != "/")
    visitor.open(path)
    visitor.rows()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390
    cut = visitor.page.evaluate(
        """[...document.querySelectorAll('[data-testid=stMain] [data-testid=stMarkdownContainer]')]
           .filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.innerText)"""
    )
    assert cut == []


def test_dark_scheme_is_dark_and_draws_in_its_own_colours(visit):
    visitor = visit(scheme="dark")
    visitor.open()
    visitor.page.locator(
        "[data-testid=stVegaLiteChart] svg, [data-testid=stVegaLiteChart] canvas"
    ).first.wait_for()
    red = visitor.page.evaluate(
        "parseInt(getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor.match(/\\d+/)[0])"
    )
    assert red < 60
