import re
import struct
from pathlib import Path

import pytest
from live_board import CHROMIUM, FLAGS, serve_board, settle
from sample_arena import SAMPLE_TASKS, build_sample_arena

from harness.store import ArenaPaths, PublicStore, Publisher, SealedStore

HOSTILE = "<img src=http://example.test/x onerror=alert(1)> **b** :material/home: [x](http://example.test)"


@pytest.fixture(scope="session")
def arena(tmp_path_factory):
    """A sample arena, and one team and one upload whose names are markup."""
    paths = ArenaPaths(tmp_path_factory.mktemp("arena"))
    build_sample_arena(paths, n_teams=3, kshot_seeds=(8, 13))
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        sealed.ensure_team(HOSTILE)
        sealed.add_submission("sample", HOSTILE, HOSTILE, "a" * 64, "x", description=HOSTILE)
        sealed.add_upload("sample", HOSTILE, "f" * 64, dict.fromkeys(SAMPLE_TASKS, 50.0), 50.0)
        publisher.publish()
    return paths


@pytest.fixture(scope="session")
def hostile():
    return HOSTILE


@pytest.fixture(scope="session")
def board(arena):
    with PublicStore.open(arena.public_db) as store:
        yield store.board("sample")


@pytest.fixture(scope="session")
def private_scores(arena):
    """Private scores as the bytes in which a double travels; none equals a public one."""
    with SealedStore.open(arena) as sealed:
        runs = [run for submission in sealed.list_submissions() for run in submission.runs]
    public = {run.score_public for run in runs}
    private = {run.score_private for run in runs if run.score_private is not None} - public
    assert len(private) > 50
    return [struct.pack("<d", score) for score in private]


@pytest.fixture(scope="session")
def address(arena, tmp_path_factory):
    """The running app."""
    with serve_board(
        arena.public_db, tmp_path_factory.mktemp("log") / "streamlit.txt", spool=arena.spool
    ) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visitor:
    """A page, and everything about it that must not happen."""

    def __init__(self, context, address, *, deep_link):
        self.page = context.new_page()
        self.address = address
        self.complaints = []
        # Opened below the root, Streamlit itself first asks for its health there, and logs the 404.
        self.tolerated = (
            re.compile(r"/(rules|submission|submissions|task|compare|submit)/_stcore/(health|host-config)$")
            if deep_link
            else None
        )
        self.received = bytearray()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("request", self._request)
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._frame))

    def _console(self, message):
        url = message.location.get("url", "")
        if message.type == "error" and not (self.tolerated and self.tolerated.search(url)):
            self.complaints.append(f"console: {message.text} {message.location}")

    def _request(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.complaints.append(f"external request: {request.url}")

    def _frame(self, payload):
        self.received += payload if isinstance(payload, bytes) else payload.encode()

    def open(self, path="/"):
        self.page.goto(self.address + path)
        if not path.startswith("/board.html"):
            self.settle()

    def settle(self):
        settle(self.page)

    def table(self, caption):
        """Return the texts of an HTML table's cells, row by row."""
        table = self.page.locator("table", has=self.page.locator("caption", has_text=caption))
        table.wait_for(state="attached", timeout=30_000)
        return table.evaluate(
            "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent.trim()))"
        )

    def rows(self, table=0):
        """Return the cells of the ranking, as a screen reader gets them."""
        frame = self.page.locator("[data-testid=stDataFrame]").nth(table)
        frame.locator("canvas table tbody tr").first.wait_for(state="attached", timeout=30_000)
        return frame.locator("canvas table").evaluate(
            "table => [...table.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))"
        )

    def headers(self):
        """Return the headers of the ranking as one text."""
        self.rows()
        return self.page.locator("[data-testid=stDataFrame] canvas thead").first.text_content()

    def click_header(self, x):
        """Click the header of the ranking at `x` pixels from its left edge."""
        self.page.locator("h1").scroll_into_view_if_needed()
        box = self.page.locator("[data-testid=stDataFrame]").first.bounding_box()
        self.page.mouse.click(box["x"] + x, box["y"] + 18)

    def click_cell(self, row, x, table=0):
        """Click the canvas of a table at `x` pixels from its left edge, in a data row."""
        # The scroller lies over the canvas and takes the click, so the mouse goes to the place itself.
        # Not the frame: one that is taller than the window would be scrolled to its middle.
        self.page.locator("h1").scroll_into_view_if_needed()
        box = self.page.locator("[data-testid=stDataFrame]").nth(table).bounding_box()
        self.page.mouse.click(box["x"] + x, box["y"] + 35 + 32 * row + 16)


@pytest.fixture
def visit(chromium, address):
    """Make visitors; in the end none may have complained."""
    contexts = []

    def make(width=1360, height=1000, scheme="light", *, deep_link=False):
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        visitor = Visitor(context, address, deep_link=deep_link)
        visitors.append(visitor)
        return visitor

    visitors = []
    yield make
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
    for context in contexts:
        context.close()
    assert complaints == []
