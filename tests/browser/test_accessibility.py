"""Every page for a reader who sees little, uses no mouse, or holds a phone."""

import re

import pytest

pytestmark = pytest.mark.browser

PAGES = ["/", "/rules", "/submission?id=1", "/task", "/compare?ids=1,3", "/submissions", "/board.html"]


def cut(page):
    """Return the texts that a narrow screen cuts, and whether the page is wider than the screen."""
    is_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return is_wide, page.evaluate(
        """[...document.querySelectorAll('[data-testid=stMarkdownContainer], .ga-scroll, .frame, .ga-list, dl, h1, h2, p, [role=radiogroup]')]
           .filter(each => each.checkVisibility() && each.clientWidth && each.scrollWidth > each.clientWidth + 1)
           .map(each => each.innerText.slice(0, 80))"""
    )


CONTENT = "table:visible, ol.ga-list:visible, [data-testid=stForm], [data-testid=stAlert]"

THEIRS = re.compile(
    r"stDataFrame|stVegaLite|stToolbar|stHeader|stTopNav|stAppDeploy|canvas|vega-embed|stLogo|stSidebar"
)
"""The table's and the charts' canvases, and the frame around the pages, are Streamlit's."""


def findings(axe, page):
    """Return what axe calls serious or critical in the pages' own markup."""
    return [
        f"{violation['id']} {node['target']}: {node['html'][:160]}"
        for violation in axe.run(page).response["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
        if not THEIRS.search(f"{node['target']} {node['html']}")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, "/submit", "/submission?id=9999"])
def test_page_has_no_serious_finding_of_axe_on_any_width_and_a_phone_cuts_nothing(visit, path, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    visitor = visit(scheme=scheme, deep_link=path != "/")
    visitor.open(path)
    visitor.page.locator(CONTENT).first.wait_for()
    visitor.page.wait_for_timeout(500)
    assert findings(axe, visitor.page) == []
    frames = visitor.page.locator(".ga-scroll, .frame")
    assert set(frames.evaluate_all("all => all.map(each => [each.tabIndex, each.role].join())")) <= {"0,region"}
    visitor.page.set_viewport_size({"width": 390, "height": 844})
    visitor.page.wait_for_timeout(300)
    assert cut(visitor.page) == (False, [])
    assert findings(axe, visitor.page) == []


def test_keyboard_alone_reaches_a_submission(visit, board):
    visitor = visit(390, 844, deep_link=True)
    visitor.open()
    visitor.page.locator("ol.ga-list a").first.wait_for()
    for _ in range(40):
        visitor.page.keyboard.press("Tab")
        if visitor.page.evaluate("document.activeElement.closest('ol.ga-list') !== null"):
            break
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_role("heading", name=board.entries[0].solver).wait_for()
