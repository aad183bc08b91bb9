"""Speed of the board over 10,000 submissions and 250,000 runs in three rounds: `make bench-board`.

Server: what a page does between a request and its answer, in this process, for a version of the store
that nobody has asked for yet (cold) and for one that somebody has (warm). Browser: seconds from an action
to the settled page, in a real Chromium. The order on the page is checked before anything is reported.
Prints one JSON line per case and a table; exits with 1 if a case is slower than its bound.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median

from large_store import build_large_store
from live_board import CHROMIUM, FLAGS, serve_board, settle
from playwright.sync_api import sync_playwright

from harness.store.public import PublicStore
from leaderboard import charts
from leaderboard.export import board_csv, board_json
from leaderboard.palette import LIGHT
from leaderboard.ranking import board_cards, board_frame, filter_entries, phone_rows, tint
from leaderboard.static_board import board_page

REPEATS = 7
BOARD_MS, STATIC_MS, INTERACTION_MS = 60.0, 50.0, 1000.0


def commit():
    """Return the commit that is measured, or an empty text outside a checkout."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def timed(action, repeats=REPEATS):
    """Return milliseconds of each repetition, after one that does not count."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - start))
    return times


def server_cases(store):
    """Yield (case, milliseconds, bound) of server work that no cache helps."""
    name = "round-3"

    def board():
        read = store.board(name)
        entries = filter_entries([entry for entry in read.entries if entry.is_complete], "", with_baselines=True)
        shown = entries[:50]
        frame = board_frame(read.round, shown, "summary")
        styles = tint(shown, LIGHT.tint, LIGHT.muted)
        frame.style.apply(lambda column: [styles[row] for row in range(len(column))], axis=0)._compute()
        board_cards(read)
        phone_rows(shown)

    read = store.board(name)
    best = read.entries[0].submission_id
    yield "board: rows, cards, table", timed(board), BOARD_MS
    yield "board: its plot", timed(lambda: charts.score_against_calls(read.entries, LIGHT)), None
    yield "board.html", timed(lambda: board_page(store.board(name), store.rounds())), STATIC_MS
    yield "leaderboard.json", timed(lambda: board_json(store.board(name))), STATIC_MS
    yield "leaderboard.csv", timed(lambda: board_csv(store.board(name))), STATIC_MS
    yield "submission", timed(lambda: store.submission(best)), BOARD_MS
    yield "submissions, last page", timed(lambda: store.submission_list(name, offset=3300)), BOARD_MS
    yield "submissions, search", timed(lambda: store.submission_list(name, text="solver 77")), BOARD_MS
    ids = [entry.submission_id for entry in read.entries[:20]]
    yield "task, 20 entries", timed(lambda: store.entries(name, ids)), BOARD_MS
    yield "version", timed(store.version), None


def check_order(store):
    """Stop if the order of the board is not the one that its scores and calls give."""
    entries = [entry for entry in store.board("round-3").entries if entry.score is not None]
    order = sorted(entries, key=lambda entry: (-round(entry.score, 9), entry.calls, entry.submitted_at))
    if entries != order:
        sys.exit("the order of the board is not that of its scores: nothing is reported")


def browser_cases(address, cheapest):
    """Yield (case, milliseconds, bound) of what a reader does; `cheapest` is the solver with the fewest calls."""
    served = timed(lambda: urllib.request.urlopen(f"{address}/board.html").read())
    yield "request of /board.html", served, STATIC_MS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 1360, "height": 1000}).new_page()
        table = "document.querySelector('[data-testid=stDataFrame] canvas tbody')?.textContent"

        def act(action, proof):
            start = time.perf_counter()
            action()
            page.wait_for_function(proof, polling="raf")
            elapsed = 1000 * (time.perf_counter() - start)
            if not page.url.endswith("/board.html"):
                settle(page)
            page.wait_for_timeout(300)
            return elapsed

        def button(text):
            return lambda: page.get_by_test_id("stButtonGroup").get_by_text(text, exact=True).click()

        head = "document.querySelector('[data-testid=stDataFrame] canvas thead')?.textContent"
        box = page.get_by_label("Search team or solver")

        def search(text):
            def typing():
                box.fill(text)
                box.press("Enter")

            return typing

        times = {}
        for _ in range(REPEATS):
            found = {
                "first paint of the board": act(lambda: page.goto(address), f"({table} ?? '').length > 500"),
                "columns: tasks": act(button("tasks"), f"({head} ?? '').includes('snli')"),
                "columns: cost": act(button("cost"), f"({head} ?? '').includes('Tokens')"),
                "columns: summary": act(button("summary"), f"({head} ?? '').includes('7 days')"),
                "search": act(
                    search("Team 07"), f"({table} ?? '').length < 3000 && ({table} ?? '').includes('Team 07')"
                ),
                "search cleared": act(search(""), f"({table} ?? '').includes('Team 1')"),
                "page 5": act(
                    lambda: page.get_by_label("Page 5", exact=True).click(), f"/^(19|2[0-4])[0-9]/.test({table} ?? '')"
                ),
                "order: calls, all pages": act(
                    lambda: _click_header(page, 1060), f"({table} ?? '').slice(0, 60).includes('{cheapest}')"
                ),
                "order: rank": act(lambda: _click_header(page, 1060), f"/^1Team/.test({table} ?? '')"),
                "plot: targets reached": act(
                    button("targets"), "document.body.innerText.includes('train-loss targets')"
                ),
                "plot: score and calls": act(button("frontier"), "document.body.innerText.includes('Dashed:')"),
                "to the submissions": act(
                    lambda: page.get_by_role("link", name="Submissions").click(),
                    "document.querySelectorAll('.ga-table tbody tr').length >= 50",
                ),
                "to the tasks": act(
                    lambda: page.get_by_role("link", name="Tasks").click(),
                    "document.querySelector('h1')?.innerText == 'sst2' && document.querySelectorAll('.ga-table tbody tr').length >= 20",
                ),
                "to the rules": act(
                    lambda: page.get_by_role("link", name="Rules").click(),
                    "document.querySelector('h1')?.innerText.startsWith('Rules')",
                ),
                "to the board": act(
                    lambda: page.get_by_role("link", name="Leaderboard").click(), f"({table} ?? '').length > 500"
                ),
                "row to submission": act(
                    lambda: _click_solver(page), "document.body.innerText.includes('Scores per task and seed')"
                ),
                "back": act(page.go_back, f"({table} ?? '').length > 500"),
                "plain page": act(
                    lambda: page.goto(f"{address}/board.html"), "document.querySelectorAll('tbody tr').length > 300"
                ),
            }
            for case, elapsed in found.items():
                times.setdefault(case, []).append(elapsed)
        browser.close()
    for case, values in times.items():
        # The first repetition fills the server's caches; the frame around every page loads with the first.
        is_first = case == "first paint of the board"
        yield case, values[1:], None if is_first else INTERACTION_MS


def _click_header(page, x):
    page.locator("h1").scroll_into_view_if_needed()
    box = page.locator("[data-testid=stDataFrame]").first.bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + 18)


def _click_solver(page):
    box = page.locator("[data-testid=stDataFrame]").first.bounding_box()
    page.mouse.click(box["x"] + 320, box["y"] + 35 + 16)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="a store made before, or where to keep it")
    parser.add_argument("--server-only", action="store_true")
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        path = options.store or Path(scratch) / "public.db"
        if not path.exists():
            build_large_store(path)
        with PublicStore.open(path) as store:
            check_order(store)
            complete = [entry for entry in store.board("round-3").entries if entry.is_complete]
            cheapest = min(complete, key=lambda entry: entry.calls).solver
            cases = list(server_cases(store))
        if not options.server_only:
            with serve_board(path, Path(scratch) / "log.txt") as address:
                cases += browser_cases(address, cheapest)
    for case, times, bound in cases:
        lines.append(
            {
                "case": case,
                "median_ms": round(median(times), 1),
                "spread_ms": [round(min(times), 1), round(max(times), 1)],
                "bound_ms": bound,
                "python": platform.python_version(),
                "machine": platform.machine(),
                "commit": commit(),
            }
        )
        print(json.dumps(lines[-1]), flush=True)
    print(f"\n{'case':28} {'median':>10} {'slowest':>10} {'bound':>10}")
    for line in lines:
        bound = "-" if line["bound_ms"] is None else f"{line['bound_ms']:.0f} ms"
        print(f"{line['case']:28} {line['median_ms']:7.1f} ms {line['spread_ms'][1]:7.1f} ms {bound:>10}")
    slow = [line["case"] for line in lines if line["bound_ms"] and line["median_ms"] > line["bound_ms"]]
    if slow:
        sys.exit(f"slower than the bound: {', '.join(slow)}")


if __name__ == "__main__":
    main()
