"""The leaderboard in a real browser. Each test also fails on a console error or an external request."""

import csv
import io
import json
import re
import struct
import urllib.request

import pytest

pytestmark = pytest.mark.browser


def complete(board):
    return [entry for entry in board.entries if entry.is_complete]


def open_solver(visitor, entry):
    visitor.open_solver(entry.solver)
    visitor.page.wait_for_url(re.compile(r"/submission\?id=\d+"), timeout=30_000)
    visitor.settle()


def test_board_shows_the_ranking_and_opens_a_submission(visit, board):
    visitor = visit()
    visitor.open()
    rows = visitor.rows()
    assert [row[0] for row in rows] == [str(entry.rank or "") for entry in complete(board)]
    assert [row[2] for row in rows] == [entry.solver for entry in complete(board)]
    open_solver(visitor, complete(board)[0])
    visitor.page.get_by_role("heading", name=board.entries[0].solver).wait_for()
    visitor.page.get_by_text("rank 1", exact=True).wait_for()
    scores = visitor.table("Scores per task and k-shot seed")
    assert [row[0] for row in scores] == [task.name for task in board.round.tasks]
    visitor.page.get_by_role("link", name="← Leaderboard").click()
    visitor.page.get_by_role("heading", name="Plots").wait_for()
    assert "id=" not in visitor.page.url


def test_browser_back_returns_to_the_board(visit, board):
    visitor = visit()
    visitor.open()
    open_solver(visitor, complete(board)[1])
    visitor.page.get_by_role("heading", name="Scores per task and seed").wait_for()
    visitor.page.go_back()
    visitor.page.get_by_role("heading", name="Plots").wait_for()
    visitor.settle()
    assert len(visitor.rows()) == len(complete(board))
    visitor.page.go_forward()
    visitor.page.get_by_role("heading", name="Scores per task and seed").wait_for()


def test_order_on_the_page_follows_from_the_export_by_the_printed_formula(visit, address):
    with urllib.request.urlopen(f"{address}/api/leaderboard.csv") as answer:
        exported = list(csv.DictReader(io.StringIO(answer.read().decode())))
    shuffled = sorted(exported, key=lambda row: row["solver"])
    key = {row["submission"]: (-round(float(row["score"]), 9), int(row["calls"])) for row in shuffled}
    order = sorted(shuffled, key=lambda row: (*key[row["submission"]], row["submitted_at"]))
    ranked = [row for row in order if row["is_ranked"] == "true"]
    merits = [key[row["submission"]] for row in ranked]
    rank = {row["submission"]: str(merits.index(key[row["submission"]]) + 1) for row in ranked}
    visitor = visit()
    visitor.open()
    shown = [(row[0], row[2]) for row in visitor.rows()]
    assert shown == [(rank.get(row["submission"], ""), row["solver"]) for row in order]
    assert [rank.get(row["submission"], "") for row in exported] == [row["rank"] for row in exported]


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
    assert visitor.rows()[0][1] == "Ivory Moths"
    box.fill("nobody is called so")
    box.press("Enter")
    visitor.page.get_by_text("No entry matches").wait_for()


def test_columns_of_the_address_and_of_the_button_are_shown(visit):
    visitor = visit()
    visitor.open("/?view=cost")
    assert "Tokens" in visitor.headers()
    visitor.page.get_by_role("radio", name="tasks").click()
    visitor.page.wait_for_url(re.compile("view=tasks"))
    visitor.settle()
    visitor.page.wait_for_function(
        "document.querySelector('[data-testid=stDataFrame] canvas thead')?.textContent.includes('snli')"
    )


def test_two_ticked_rows_are_compared(visit, board):
    visitor = visit()
    visitor.open()
    visitor.rows()
    button = visitor.page.get_by_role("button", name="Compare")
    assert button.is_disabled()
    first, third = complete(board)[0], complete(board)[2]
    for entry in (first, third):
        visitor.tick(entry.solver)
    # Playwright waits until the button is enabled.
    button.click()
    visitor.page.wait_for_url(re.compile(rf"/compare\?ids={first.submission_id}(,|%2C){third.submission_id}"))
    visitor.page.get_by_role("heading", name=f"Points ahead of {first.team}").wait_for()
    assert len(visitor.table("Scores side by side")) == 2


def test_links_lead_from_a_task_to_a_submission_and_from_the_list(visit, board):
    visitor = visit(deep_link=True)
    visitor.open("/task?task=qnli")
    visitor.table("Ranking on qnli")
    visitor.page.get_by_role("table").get_by_role("link").first.click()
    visitor.page.wait_for_url(re.compile(r"/submission\?id=\d+"))
    visitor.page.get_by_role("heading", name="Scores per task and seed").wait_for()
    visitor.open("/submissions?status=failed")
    assert [row[2] for row in visitor.table("Submissions, newest first")] == ["division by zero"]


def test_what_does_not_exist_gets_a_clear_page(visit):
    visitor = visit(deep_link=True)
    for path, words in {
        "/submission?id=9999": "no submission 9999",
        "/compare?ids=1": "cannot compare 1 submission",
        "/task?task=x": "has no task x",
        "/?round=x": "no round x",
    }.items():
        visitor.open(path)
        visitor.page.get_by_text("Nothing to show here").wait_for()
        visitor.page.get_by_text(words).wait_for()
        assert visitor.page.locator("[data-testid=stException]").count() == 0


def test_uploads_and_unofficial_results_are_marked_where_they_stand(visit, board, hostile):
    visitor = visit()
    visitor.open()
    visitor.page.get_by_role("heading", name="Predictions only, calls not metered").wait_for()
    (marked,) = [row for row in visitor.rows() if row[-1] == "unofficial"]
    assert (marked[0], marked[1]) == ("", "example")
    uploads = visitor.table("Scores of uploaded predictions, not ranked")
    assert [row[0] for row in uploads] == [upload.name for upload in board.uploads] == ["Unmetered", hostile]
    assert visitor.page.locator("img[src*='example.test'], a[href*='example.test']").count() == 0


def test_private_scores_never_reach_the_browser(visit, board, private_scores, address):
    visitor = visit(deep_link=True)
    visitor.open()
    open_solver(visitor, complete(board)[0])
    visitor.table("Runs of the submission")
    first, second = board.entries[:2]
    visitor.open(f"/compare?ids={first.submission_id},{second.submission_id}")
    visitor.table("Scores side by side")
    visitor.open("/task?task=snli")
    visitor.table("Ranking on snli")
    best = first.score
    exports = b"".join(
        urllib.request.urlopen(f"{address}/{path}").read()
        for path in ("board.html", "api/leaderboard.json", "api/leaderboard.csv")
    )
    # The control: what is public does arrive, in the very forms that are searched for.
    assert struct.pack("<d", best) in visitor.received
    assert repr(best).encode() in exports
    for score in private_scores:
        assert score not in visitor.received
        assert repr(struct.unpack("<d", score)[0]).encode() not in exports + visitor.received


def test_names_written_as_markup_stay_text(visit, board):
    visitor = visit(deep_link=True)
    visitor.open()
    hostile = next(entry for entry in board.entries if entry.solver.startswith("<img"))
    apart = visitor.table("Submissions that are not complete")
    assert hostile.solver in [row[1] for row in apart]
    visitor.page.get_by_role("link", name="<img src=http").click()
    visitor.page.get_by_role("heading", name="<img src=http").wait_for()
    assert visitor.page.locator("img[src*='example.test'], a[href*='example.test']").count() == 0


def test_plain_board_works_without_javascript(chromium, address, board, hostile):
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{address}/board.html")
    teams = page.locator("table").first.locator("tbody th").all_inner_texts()
    solvers = page.locator("table").first.locator("tbody td:nth-child(3)").all_inner_texts()
    assert len(teams) == len(complete(board))
    assert [solver.split("\n")[0] for solver in solvers] == [entry.solver for entry in complete(board)]
    assert "open window\nunofficial" in solvers
    assert page.get_by_text(hostile).count() > 0
    assert page.locator("img").count() == 0
    assert requests == [f"{address}/board.html"]
    context.close()


def test_exports_have_tags_and_answer_304(address):
    for path in ("board.html", "api/leaderboard.json", "api/leaderboard.csv"):
        with urllib.request.urlopen(f"{address}/{path}?round=sample") as answer:
            tag, policy = answer.headers["ETag"], answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        again = urllib.request.Request(f"{address}/{path}?round=sample", headers={"If-None-Match": tag})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(again)
        assert caught.value.code == 304
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{address}/api/leaderboard.json?round=x")
    assert caught.value.code == 404


def test_json_export_holds_the_board(address, board):
    with urllib.request.urlopen(f"{address}/api/leaderboard.json") as answer:
        document = json.load(answer)
    assert [entry["submission"] for entry in document["entries"]] == [entry.submission_id for entry in board.entries]
    assert document["version"] == board.version


STATES = {
    "in progress": "7 of 10 runs have ended",
    "in the queue": "0 of 10 runs have ended",
    "division by zero": "Not ranked: a run has no score",
    "patient search": "Scored on a checkpoint",
    "unlucky": "on hold after repeated platform errors",
    "withdrawn": "This submission was cancelled",
    "open window": "Unofficial: no sandbox",
}


def test_state_of_a_submission_is_said_in_words(visit, board):
    number = {entry.solver: entry.submission_id for entry in board.entries}
    visitor = visit(deep_link=True)
    for name, words in STATES.items():
        visitor.open(f"/submission?id={number[name]}")
        visitor.page.get_by_role("heading", name=name).wait_for()
        visitor.page.get_by_text(words).first.wait_for()


def test_phone_shows_a_list_whose_rows_open(visit, board):
    visitor = visit(390, 844, deep_link=True)
    visitor.open()
    names = visitor.page.locator("ol.ga-list .ga-name").all_inner_texts()
    assert names == [f"◆ {entry.solver}" if entry.is_baseline else entry.team for entry in complete(board)]
    visitor.page.get_by_role("list", name="Ranking of the round").get_by_role("link").first.click()
    visitor.page.get_by_role("heading", name=board.entries[0].solver).wait_for()


def test_dark_scheme_is_dark_and_draws_in_its_own_colours(visit):
    visitor = visit(scheme="dark")
    visitor.open()
    visitor.page.locator("[data-testid=stVegaLiteChart] svg, [data-testid=stVegaLiteChart] canvas").first.wait_for()
    red = visitor.page.evaluate(
        "parseInt(getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor.match(/\\d+/)[0])"
    )
    assert red < 60
    cards = visitor.page.evaluate("getComputedStyle(document.querySelector('.ga-cards > div')).backgroundColor")
    assert cards == "rgb(31, 34, 38)"
