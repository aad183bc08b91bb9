"""A ranking of several pages: order and page are one, and both stand in the address."""

import re

import pytest
from large_store import build_large_store
from live_board import serve_board

from harness.store.public import PublicStore

pytestmark = pytest.mark.browser

PER_PAGE = 50
CALLS = 8
"""Place of the calls among the cells of the summary."""


@pytest.fixture(scope="module")
def long_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "public.db"
    build_large_store(path, n_submissions=500, n_rounds=1, n_teams=240)
    return path


@pytest.fixture(scope="module")
def address(long_store, tmp_path_factory):
    with serve_board(long_store, tmp_path_factory.mktemp("log") / "streamlit.txt") as address:
        yield address


@pytest.fixture(scope="module")
def ranking(long_store):
    with PublicStore.open(long_store) as store:
        return [entry for entry in store.board("round-1").entries if entry.is_complete]


def shows(visitor, entries):
    """Wait until the table begins with these entries; return all of its solvers."""
    first = entries[0].solver
    visitor.page.wait_for_function(
        "first => document.querySelector('[data-testid=stDataFrame] canvas tbody tr')?.cells[2].innerText == first",
        arg=first,
    )
    return [row[2] for row in visitor.rows()]


def names(entries):
    return [entry.solver for entry in entries]


def by_calls(entries):
    return sorted(entries, key=lambda entry: entry.calls)


def prefix(shown, expected):
    """The table makes only the rows that are near the window; those it makes must be the right ones."""
    assert len(shown) > 20
    assert shown == names(expected)[: len(shown)]


def test_choosing_a_header_orders_the_whole_ranking_and_a_second_time_undoes_it(visit, ranking):
    visitor = visit()
    visitor.open()
    prefix(shows(visitor, ranking), ranking)
    visitor.sort_by("Calls / run")
    visitor.page.wait_for_url(re.compile(r"order=by\+calls"))
    cheapest = by_calls(ranking)
    prefix(shows(visitor, cheapest), cheapest[:PER_PAGE])
    visitor.page.get_by_role("button", name="Page 2", exact=True).click()
    visitor.page.wait_for_url(re.compile(r"page=2"))
    prefix(shows(visitor, cheapest[PER_PAGE:]), cheapest[PER_PAGE : 2 * PER_PAGE])
    visitor.sort_by("Calls / run")
    prefix(shows(visitor, ranking), ranking[:PER_PAGE])
    assert "order=" not in visitor.page.url
    assert "page=" not in visitor.page.url


def test_address_alone_gives_order_and_page_and_search(visit, ranking):
    visitor = visit()
    visitor.open("/?order=by+calls&page=2")
    cheapest = by_calls(ranking)
    prefix(shows(visitor, cheapest[PER_PAGE:]), cheapest[PER_PAGE : 2 * PER_PAGE])
    visitor.open("/?order=by+calls&q=team+00")
    found = [entry for entry in cheapest if "team 00" in entry.team.casefold()]
    assert shows(visitor, found) == names(found)


def test_search_and_order_begin_at_the_first_page(visit, ranking):
    visitor = visit()
    visitor.open("/?page=2")
    shows(visitor, ranking[PER_PAGE:])
    box = visitor.page.get_by_label("Search team or solver")
    box.fill("team 1")
    box.press("Enter")
    visitor.page.wait_for_url(re.compile(r"q=team\+1"))
    found = [entry for entry in ranking if "team 1" in entry.team.casefold()]
    prefix(shows(visitor, found), found[:PER_PAGE])
    assert "page=" not in visitor.page.url


@pytest.mark.parametrize("path", ["/?page=99&order=nonsense", "/?page=-1"])
def test_page_or_order_that_does_not_exist_shows_the_first(visit, ranking, path):
    visitor = visit()
    visitor.open(path)
    prefix(shows(visitor, ranking), ranking[:PER_PAGE])


def test_keyboard_alone_orders_and_turns_pages(visit, ranking):
    visitor = visit()
    visitor.open()
    shows(visitor, ranking)
    keyboard = visitor.page.keyboard

    def tab_to(what):
        for _ in range(60):
            keyboard.press("Tab")
            if visitor.page.evaluate(f"(() => {{ const at = document.activeElement; return {what}; }})()"):
                return
        raise AssertionError(f"the keyboard does not reach {what}")

    tab_to("at.closest('[data-testid=stSelectbox]') !== null")
    keyboard.type("by calls")
    keyboard.press("Enter")
    cheapest = by_calls(ranking)
    shows(visitor, cheapest)
    tab_to("at.getAttribute('aria-label') == 'Page 2'")
    keyboard.press("Enter")
    shows(visitor, cheapest[PER_PAGE:])


def test_ticks_do_not_stay_on_rows_that_others_have_taken(visit, ranking):
    visitor = visit()
    visitor.open()
    shows(visitor, ranking)
    for entry in ranking[:2]:
        visitor.select(entry.solver)
    compare = visitor.page.get_by_role("button", name="Compare")
    visitor.page.get_by_role("button", name="Compare", disabled=False).wait_for()
    visitor.page.get_by_role("button", name="Page 2", exact=True).click()
    shows(visitor, ranking[PER_PAGE:])
    visitor.settle()
    assert compare.is_disabled()


def test_menu_of_a_column_does_not_offer_to_sort_a_page(visit, ranking):
    visitor = visit()
    visitor.open()
    shows(visitor, ranking)
    # The canvas draws the menu's button, and neither keyboard nor accessible name leads to it.
    box = visitor.page.locator("[data-testid=stDataFrame]").first.bounding_box()
    visitor.page.mouse.move(box["x"] + 170, box["y"] + 18)
    visitor.page.mouse.click(box["x"] + 244, box["y"] + 18)
    menu = visitor.page.get_by_test_id("stDataFrameColumnMenu")
    menu.get_by_text("Autosize").wait_for()
    assert menu.get_by_text("Sort ascending").is_hidden()
    assert menu.get_by_text("Sort descending").is_hidden()


def test_pages_of_the_list_of_submissions_open_by_their_address(visit):
    visitor = visit(deep_link=True)
    visitor.open("/submissions?page=3")
    visitor.page.get_by_text("500 found").wait_for()
    rows = visitor.table("Submissions, newest first")
    assert [int(row[0]) for row in rows] == list(range(400, 350, -1))
    visitor.page.get_by_role("button", name="Page 4", exact=True).click()
    visitor.page.wait_for_url(re.compile("page=4"))
    visitor.page.get_by_role("link", name="350", exact=True).wait_for()
    visitor.open("/submissions?page=99")
    assert [int(row[0]) for row in visitor.table("Submissions, newest first")] == list(range(500, 450, -1))
