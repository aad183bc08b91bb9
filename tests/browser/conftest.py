import re
import struct
from pathlib import Path

import pytest
from in_store import read, write
from live_board import CHROMIUM, FLAGS, serve_board, settle
from sample_arena import SAMPLE_TASKS, build_sample_arena
from store_steps import enter

from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.public.publisher import Publisher
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import list_submissions
from harness.store.sealed.teams import ensure_team
from harness.store.sealed.uploads import add_upload
from leaderboard.entry_table import _HEADER_HEIGHT, _ROW_HEIGHT

HOSTILE = "<img src=http://example.test/x onerror=alert(1)> **b** :material/home: [x](http://example.test)"


@pytest.fixture(scope="session")
def arena(tmp_path_factory):
    """A sample arena, and one team and one upload whose names are markup."""
    paths = ArenaPaths(tmp_path_factory.mktemp("arena"))
    build_sample_arena(paths, n_teams=3, kshot_seeds=(8, 13))
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, ensure_team, HOSTILE)
        enter(sealed, HOSTILE, HOSTILE, round_name="sample", description=HOSTILE)
        scores = dict.fromkeys(SAMPLE_TASKS, 50.0)
        with sealed.write() as tx:
            row = find_round(tx, "sample")
            add_upload(tx, row, name=HOSTILE, digest="f" * 64, score=50.0, task_scores=scores)
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
        runs = [run for submission in read(sealed, list_submissions) for run in submission.runs]
    public = {run.score_public for run in runs}
    private = {run.score_private for run in runs if run.score_private is not None} - public
    assert len(private) > 50
    return [struct.pack("<d", score) for score in private]


@pytest.fixture(scope="session")
def address(arena, tmp_path_factory):
    """The running app."""
    with serve_board(arena.public_db, tmp_path_factory.mktemp("log") / "streamlit.txt", spool=arena.spool) as address:
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

    def sort_by(self, header):
        """Sort the ranking by a column, or undo that, with the keyboard."""
        names = self._of_canvas("columnheader").all_text_contents()
        (place,) = [number for number, name in enumerate(names) if name.startswith(header)]
        self._go_to(self._of_canvas("gridcell").nth(place))
        self.page.keyboard.press("Control+Space")

    def select(self, row):
        """Select the row of the ranking with this accessible name, with the keyboard."""
        self._go_to(self._of_canvas("row", row).get_by_role("gridcell", include_hidden=True).first)
        self.page.keyboard.press("Shift+Space")

    def tick(self, solver):
        """Tick the row of a solver: the box is drawn on the canvas, and only a pointer adds to what is ticked."""
        row = next(number for number, cells in enumerate(self.rows()) if solver in cells)
        y = self._top() + _HEADER_HEIGHT + (row + 0.5) * _ROW_HEIGHT
        frame = self.page.get_by_test_id("stDataFrame").first
        self.page.mouse.click(frame.bounding_box()["x"] + _ROW_HEIGHT / 2, y)

    def open_solver(self, name):
        """Press the button of a solver in the ranking. Streamlit draws it, and only a pointer can press it."""
        row = next(number for number, cells in enumerate(self.rows()) if cells[2] == name)
        self.page.mouse.click(self._button_x(), self._top() + _HEADER_HEIGHT + (row + 0.5) * _ROW_HEIGHT)

    def _top(self):
        # A frame that is taller than the window would be scrolled to its middle.
        self.page.locator("h1").scroll_into_view_if_needed()
        return self.page.get_by_test_id("stDataFrame").first.bounding_box()["y"]

    def _button_x(self):
        """Return where the buttons of the first row begin: the cursor changes there, as over the row's tick."""
        y = self._top() + _HEADER_HEIGHT + _ROW_HEIGHT / 2
        frame = self.page.get_by_test_id("stDataFrame").first
        box, canvas = frame.bounding_box(), frame.locator("canvas").first
        was_pointer, n_found = False, 0
        for x in range(int(box["x"]), int(box["x"] + box["width"]), 4):
            self.page.mouse.move(x, y)
            self.page.wait_for_timeout(15)
            is_pointer = canvas.evaluate("each => each.style.cursor") == "pointer"
            n_found += is_pointer and not was_pointer
            was_pointer = is_pointer
            if n_found == 2:
                return x
        raise AssertionError("the ranking has no button")

    def _go_to(self, cell):
        """Make a cell the current one; the first focus of the canvas goes to its first cell."""
        for _ in range(40):
            cell.focus()
            self.page.wait_for_timeout(100)
            if cell.get_attribute("aria-selected") == "true":
                return
        raise AssertionError("the keyboard does not reach the cell")

    def _of_canvas(self, role, name=None):
        """Return elements by role and name; those inside a canvas have no size, so they count as hidden."""
        self.rows()
        options = {} if name is None else {"name": name}
        return self.page.get_by_test_id("stDataFrame").first.get_by_role(role, include_hidden=True, **options)


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
