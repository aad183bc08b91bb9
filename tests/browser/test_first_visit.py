"""A server that has just started, and a first visitor who comes by a link from elsewhere."""

import pytest
from live_board import serve_board

pytestmark = pytest.mark.browser


@pytest.fixture
def address(arena, tmp_path):
    with serve_board(arena.public_db, tmp_path / "streamlit.txt") as address:
        yield address


def test_first_visitor_of_a_fresh_server_gets_the_whole_app_by_any_link(visit):
    visitor = visit(deep_link=True)
    visitor.open("/rules")
    visitor.page.get_by_role("heading", name="How it is scored").wait_for()
    assert visitor.page.locator("[data-testid=stSidebarNav]").count() == 0
    assert visitor.page.get_by_role("link", name="Leaderboard").count() == 1
    assert (
        visitor.page.locator(".ga-table thead th").first.evaluate("each => getComputedStyle(each).textAlign") == "left"
    )
