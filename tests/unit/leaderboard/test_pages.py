"""Every page and state, run by Streamlit itself without a browser."""

import re
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from in_store import write
from sample_arena import SAMPLE_TASKS, sample_result, sample_round
from store_steps import enter, finish, repeat, to_phase

from harness.config import RoundConfig
from harness.records import Phase, Status
from harness.store.database import StoreUnavailable
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore, reader
from harness.store.public.publisher import Publisher
from harness.store.sealed.claims import claim_run
from harness.store.sealed.rounds import add_round, find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.teams import ensure_team
from harness.store.sealed.uploads import add_upload
from leaderboard import source
from leaderboard.launch import streamlit_command
from leaderboard.static_board import board_page, write_static_board


def text_of(app):
    kinds = (app.markdown, app.caption, app.info, app.error, app.warning, app.text)
    shown = [str(element.value) for elements in kinds for element in elements]
    return "\n".join([*shown, *pieces(app)])


def pieces(app):
    """Return the HTML that is shown, without style sheets."""
    bodies = [element.proto.body for element in app.get("html")]
    return [body for body in bodies if not body.startswith("<style>")]


def tables(app):
    """Return caption -> rows -> texts of the cells."""
    found = {}
    for body in pieces(app):
        if "<table" in body:
            table = ET.fromstring(body).find("table")
            rows = [["".join(cell.itertext()) for cell in row] for row in table.find("tbody")]
            found[table.findtext("caption")] = rows
    return found


def headings(app):
    """Return the texts of the h1 of a page."""
    return [text for body in pieces(app) for text in re.findall("<h1.*?>(.*?)</h1>", body)]


def run_all(sealed):
    while claim := write(sealed, claim_run, "w", 60):
        finish(sealed, claim, sample_result(claim, 60.0))


def changed(config, **sections):
    """Return a round with other values of some keys, by section."""
    rules = config.model_dump(mode="json")
    return RoundConfig.model_validate(
        rules | {name: value if name == "task" else rules[name] | value for name, value in sections.items()}
    )


def number_of(board, name):
    return str(next(entry.submission_id for entry in board.entries if entry.solver == name))


def test_board_shows_every_complete_entry_in_order_and_the_others_apart(open_app, sample_db, sample_board):
    app = open_app(sample_db)
    complete = [entry for entry in sample_board.entries if entry.is_complete]
    assert app.dataframe[0].value["Solver"].tolist() == [entry.solver for entry in complete]
    apart = tables(app)["Submissions that are not complete"]
    assert [row[0] for row in apart] == [entry.team for entry in sample_board.entries if not entry.is_complete]
    assert "Ivory Moths" in text_of(app)


def test_board_marks_unofficial_results_and_shows_uploads_apart(open_app, sample_db, sample_board):
    app = open_app(sample_db)
    assert app.dataframe[0].value.set_index("Solver").loc["open window", "Note"] == "unofficial"
    assert [row[0] for row in tables(app)["Scores of uploaded predictions, not ranked"]] == ["Unmetered"]
    assert "Predictions only, calls not metered" in text_of(app)
    page = open_app(sample_db, "submission", id=number_of(sample_board, "open window"))
    assert "Unofficial: no sandbox" in text_of(page)
    assert {row[2] for row in tables(page)["Runs of the submission"]} == {"OK, unofficial: no sandbox"}


def test_board_without_a_submission_still_shows_uploads(open_app, tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        with sealed.write() as tx:
            add_round(tx, sample_round(kshot_seeds=(8,)))
            scores = dict.fromkeys(SAMPLE_TASKS, 50.0)
            name = "<b>x</b> **y**"
            add_upload(tx, find_round(tx, "sample"), name=name, digest="a" * 64, score=50.0, task_scores=scores)
        publisher.publish()
    app = open_app(paths.public_db)
    assert tables(app)["Scores of uploaded predictions, not ranked"][0][0] == "<b>x</b> **y**"
    assert "<b>" not in text_of(app)
    assert "The first complete one leads" in text_of(app)


def test_board_search_and_baseline_switch_filter_the_table(open_app, sample_db):
    app = open_app(sample_db)
    app.toggle[0].set_value(False).run()
    assert not any(name.startswith("◆") for name in app.dataframe[0].value["Team"])
    app.text_input[0].set_value("lynx").run()
    assert app.dataframe[0].value["Team"].tolist() == ["Ionic Lynx"]
    app.text_input[0].set_value("nobody is called so").run()
    assert not app.dataframe
    assert "No entry matches" in text_of(app)
    assert not app.exception


def test_board_opens_with_the_columns_of_the_address(open_app, sample_db):
    assert "Tokens ↓" in open_app(sample_db, view="cost").dataframe[0].value.columns
    assert "sst2 ↑" in open_app(sample_db, view="tasks").dataframe[0].value.columns


def test_board_with_unknown_columns_or_plot_falls_back_to_the_first(open_app, sample_db):
    app = open_app(sample_db, view="nonsense", plot="nonsense")
    assert "7 days" in app.dataframe[0].value.columns
    assert "no entry scores higher with fewer calls" in text_of(app)


def test_board_draws_the_plot_of_the_address(open_app, sample_db):
    assert "Share of (task, seed, target) triples reached" in text_of(open_app(sample_db, plot="targets"))


def test_unknown_round_gives_a_clear_page_with_the_name_made_harmless(open_app, sample_db):
    app = open_app(sample_db, round="<b>x</b>")
    assert "no round" in text_of(app)
    assert "<b>" not in text_of(app)


@pytest.mark.parametrize("number", ["", "9999", "-1", "1e3", "²", "9" * 40, "<script>"])
def test_unknown_submission_gives_a_clear_page(open_app, sample_db, number):
    app = open_app(sample_db, "submission", id=number)
    assert headings(app) == ["Nothing to show here"]


def test_missing_store_gives_a_clear_page(open_app, tmp_path):
    assert "the file is missing" in text_of(open_app(tmp_path / "public.db")).replace("\\", "")


def test_file_that_is_no_store_gives_a_clear_page(open_app, tmp_path):
    (tmp_path / "public.db").write_text("not a database " * 50)
    assert "cannot be read as a public store" in text_of(open_app(tmp_path / "public.db"))


def test_store_that_cannot_be_read_gives_a_clear_page(open_app, sample_db, monkeypatch):
    def locked():
        raise StoreUnavailable("the store is locked")

    monkeypatch.setattr(source, "rounds", locked)
    app = open_app(sample_db)
    assert headings(app) == ["The board cannot be read at the moment"]
    assert "the store is locked" in text_of(app)


def test_store_without_a_round_gives_a_clear_page(open_app, tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        publisher.publish()
        assert "no round yet" in text_of(open_app(paths.public_db))


def blind_arena(paths, *, is_closed=False, **visibility):
    """Make a round that shows scores from its end on, with a finished submission; return its number."""
    config = changed(sample_round(kshot_seeds=(8,)), visibility={"scores": "closed", **visibility})
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, add_round, config)
        write(sealed, ensure_team, "Lynx")
        number = enter(sealed, "Lynx", "done", round_name="sample")
        run_all(sealed)
        if is_closed:
            to_phase(sealed, Phase.CLOSED, "sample")
        publisher.publish()
    return number


def test_round_that_hides_scores_says_so_and_not_that_nobody_has_finished(open_app, tmp_path):
    paths = ArenaPaths(tmp_path / "arena")
    number = blind_arena(paths)
    hidden = "Scores are shown once the round has closed."
    write_static_board(paths.public_db, tmp_path)
    plain_page = (tmp_path / "board.html").read_text()
    board_app = open_app(paths.public_db)
    assert [row[2] for row in tables(board_app)["Submissions"]] == ["OK"]
    task_app = open_app(paths.public_db, "task")
    for shown in (plain_page, text_of(board_app), text_of(task_app)):
        assert hidden in shown
        assert "o submission is complete" not in shown
        assert "not complete" not in shown
        assert "in progress" not in shown
    own = text_of(open_app(paths.public_db, "submission", id=str(number)))
    assert hidden in own
    assert "not ranked yet" in own


def test_round_that_hides_scores_until_its_end_shows_them_then(open_app, tmp_path):
    number = blind_arena(ArenaPaths(tmp_path), is_closed=True)
    for page in ("board", "submission"):
        shown = text_of(open_app(ArenaPaths(tmp_path).public_db, page, id=str(number)))
        assert "Scores are shown" not in shown
    assert "rank 1" in shown


def test_new_results_appear_with_the_next_run(open_app, tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, add_round, sample_round(kshot_seeds=(8,)))
        write(sealed, ensure_team, "Lynx")
        publisher.publish()
        app = open_app(paths.public_db)
        assert "No submission yet" in text_of(app)
        enter(sealed, "Lynx", "late", round_name="sample")
        publisher.publish()
        app.run()
        assert [row[0] for row in tables(app)["Submissions that are not complete"]] == ["Lynx"]


def test_two_rounds_can_be_chosen_between(open_app, tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        for name in ("first", "second"):
            write(sealed, add_round, sample_round(name, kshot_seeds=(8,)))
        publisher.publish()
    app = open_app(paths.public_db)
    assert app.selectbox[0].value == "second"
    app.selectbox[0].set_value("first").run()
    assert "Round first" in text_of(app)
    assert "Round first" in text_of(open_app(paths.public_db, round="first"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NES v2", "rank 1"),
        ("BBTv2", "baseline, not ranked"),
        ("patient search", "Scored on a checkpoint"),
        ("division by zero", "the solver raised an error"),
        ("unlucky", "on hold after repeated platform errors; quota unaffected"),
        ("withdrawn", "was cancelled"),
    ],
)
def test_submission_page_says_where_it_stands(open_app, sample_db, sample_board, name, expected):
    app = open_app(sample_db, "submission", id=number_of(sample_board, name))
    assert expected in text_of(app)
    assert len(tables(app)["Scores per task and k-shot seed"]) == 5
    assert len([row for row in tables(app)["Runs of the submission"] if len(row) > 1]) == 10


@pytest.mark.parametrize("name", ["in progress", "in the queue"])
def test_submission_page_of_unfinished_work_shows_progress(open_app, sample_db, sample_board, name):
    entry = next(entry for entry in sample_board.entries if entry.solver == name)
    assert entry.status in {Status.RUNNING, Status.QUEUED}
    app = open_app(sample_db, "submission", id=str(entry.submission_id))
    assert f"{entry.n_runs_done} of 10 runs ended" in text_of(app)


def test_rules_page_shows_tasks_and_the_formula(open_app, sample_db):
    app = open_app(sample_db, "rules")
    assert [row[0] for row in tables(app)["Tasks of the round"]] == list(SAMPLE_TASKS)
    assert "Ties are broken by fewer calls; entries still equal share a rank." in text_of(app)
    assert dict(tables(app)["Limits of a run"])["Submission, unpacked"] == "64 KiB"
    assert dict(tables(app)["Model and queries"])["Model"] == "hub:FacebookAI/roberta-large"


def test_rules_page_says_what_is_seen_when(open_app, sample_db):
    seen = dict(tables(open_app(sample_db, "rules"))["Visibility"])
    assert seen["Scores on public test rows"] == "at once"
    assert seen["Test scores along a run, efficiency and confusion matrices"] == "with publication"
    assert seen["Scores on private test rows and everything derived from them"] == "with publication"


def test_rules_page_shows_no_marks_of_markdown_in_its_tables(open_app, tmp_path):
    paths = ArenaPaths(tmp_path)
    blind_arena(paths, own_scores="open")
    shown = tables(open_app(paths.public_db, "rules"))
    seen = dict(shown["Visibility"])
    own = "Scores on public test rows of own submissions, for the team (gradfree status N --own)"
    assert seen[own] == "at once"
    assert not any("`" in cell for rows in shown.values() for row in rows for cell in row)


def test_rules_page_tells_a_secret_rotation_registered_teams_and_the_noise_floor(open_app, tmp_path):
    paths = ArenaPaths(tmp_path)
    config = changed(
        sample_round(kshot_seeds=(8,)),
        round={"rotation": "secret", "teams": "registered"},
        visibility={"logs": "closed"},
    )
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, add_round, config)
        write(sealed, ensure_team, "baselines", is_baseline_owner=True)
        enter(sealed, "baselines", "BBT", round_name="sample", is_baseline=True)
        repeat(sealed, "BBT", 2, "sample")
        run_all(sealed)
        publisher.publish()
    shown = tables(open_app(paths.public_db, "rules"))
    assert "rotated by a secret matrix" in dict(shown["Model and queries"])["Prompts and features"]
    assert dict(shown["Limits of a run"])["Teams"] == "registered teams, with a token from the organizer"
    assert "once the round has closed" in dict(shown["Visibility"]).values()
    ((name, repeats, mean, deviation, difference),) = shown["Noise floor"]
    assert (name, repeats) == ("BBT", "2")
    assert 50 < float(mean) < 70
    assert float(difference) == pytest.approx(2.772 * float(deviation), abs=0.02)


def test_rules_never_show_the_seed_that_draws_the_private_rows(open_app, sample_db):
    from harness.config import load_round

    assert str(load_round("official").round.seed) not in text_of(open_app(sample_db, "rules"))


def test_task_page_orders_by_the_task_and_links_the_solvers(open_app, sample_db, sample_board):
    app = open_app(sample_db, "task", task="snli")
    rows = tables(app)["Ranking on snli"]
    scores = [float(row[3]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert len(rows) == sum(entry.is_complete for entry in sample_board.entries)
    assert "8,000 calls" in text_of(app)
    assert "open window unofficial" in [row[2] for row in rows]


def test_task_page_without_a_task_shows_the_first(open_app, sample_db):
    assert "Ranking on sst2" in tables(open_app(sample_db, "task"))


def test_task_page_of_an_unknown_task_gives_a_clear_page(open_app, sample_db):
    app = open_app(sample_db, "task", task="<b>x</b>")
    assert "has no task" in text_of(app)
    assert "<b>" not in text_of(app)


def test_compare_page_pairs_with_the_first(open_app, sample_db, sample_board):
    first, second = sample_board.entries[0], sample_board.entries[1]
    app = open_app(sample_db, "compare", ids=f"{first.submission_id},{second.submission_id}")
    rows = tables(app)["Paired differences"]
    assert [row[0] for row in rows] == [*SAMPLE_TASKS, "All tasks"]
    assert float(rows[-1][2]) == pytest.approx(second.score - first.score, abs=0.006)
    assert len(tables(app)["Scores side by side"]) == 2


@pytest.fixture
def two_versions(tmp_path):
    """An arena whose round has a second version with a task less; submission 1 is of the first, 2 of the second."""
    paths = ArenaPaths(tmp_path / "versions")
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, ensure_team, "Lynx")
        config = sample_round(kshot_seeds=(8,))
        tasks = config.model_dump(mode="json")["task"]
        for version, own in (("1.0", tasks), ("1.1", tasks[1:])):
            write(sealed, add_round, changed(config, round={"version": version}, task=own))
            enter(sealed, "Lynx", f"of {version}", round_name="sample")
            run_all(sealed)
        publisher.publish()
    return paths.public_db


def test_compare_page_refuses_two_versions_of_a_round(open_app, two_versions):
    shown = text_of(open_app(two_versions, "compare", ids="1,2")).replace("\\", "")
    assert "submissions of different rounds (sample 1.0, sample 1.1) cannot be compared" in shown


def test_older_version_of_a_round_keeps_to_itself_wherever_its_pages_lead(open_app, two_versions):
    app = open_app(two_versions, round="sample@1.0")
    assert "Round sample 1.0" in text_of(app)
    assert app.selectbox[0].options == ["sample", "sample@1.0"]
    assert [each.proto.url for each in app.get("link_button")] == [
        f"{path}?round=sample@1.0" for path in ("api/leaderboard.csv", "api/leaderboard.json", "board.html")
    ]
    assert b"of 1.0" in app.get("vega_lite_chart")[0].proto.SerializeToString()
    page = open_app(two_versions, "submission", id="1")
    assert "task?task=sst2&amp;round=sample@1.0" in text_of(page)
    assert page.get("page_link")[0].proto.query_string == "round=sample%401.0"
    task = open_app(two_versions, "task", task="sst2", round="sample@1.0")
    assert [row[2] for row in tables(task)["Ranking on sst2"]] == ["of 1.0"]
    assert "task?task=sst2&amp;round=sample@1.0" in text_of(open_app(two_versions, "rules", round="sample@1.0"))


def test_newest_version_of_a_round_is_what_its_name_means(open_app, two_versions):
    for name in ("sample", "sample@1.1"):
        app = open_app(two_versions, round=name)
        assert "Round sample 1.1" in text_of(app)
        assert not app.selectbox or app.selectbox[0].label != "Round"
    page = open_app(two_versions, "submission", id="2")
    assert page.get("page_link")[0].proto.query_string == "round=sample"
    unknown = open_app(two_versions, round="sample@9.9")
    assert "sample, sample@1.0" in text_of(unknown).replace("\\", "")


def test_plain_page_of_an_older_version_links_its_own_data_and_the_newest(two_versions):
    with PublicStore.open(two_versions) as store:
        old = board_page(store.board("sample@1.0"), store.rounds())
        new = board_page(store.board("sample"), store.rounds())
    for link in ("api/leaderboard.csv", "api/leaderboard.json", "./"):
        assert f'href="{link}?round=sample@1.0"' in old
        assert f'href="{link}?round=sample@1.1"' in new
    assert 'href="board.html?round=sample"' in old
    assert "board.html?round" not in new


@pytest.mark.parametrize("ids", ["", "1", "1,1", "1,2,3,4,5", "1,x", "1,9999"])
def test_compare_page_of_what_cannot_be_compared_gives_a_clear_page(open_app, sample_db, ids):
    assert "Nothing to show here" in text_of(open_app(sample_db, "compare", ids=ids))


def test_submissions_page_lists_all_newest_first_and_filters(open_app, sample_db, sample_store):
    everything = sample_store.submissions("sample")
    app = open_app(sample_db, "submissions")
    assert [row[0] for row in tables(app)["Submissions, newest first"]] == [
        str(entry.submission_id) for entry in everything
    ]
    app.text_input[0].set_value("BBT").run()
    assert {row[2] for row in tables(app)["Submissions, newest first"]} == {"BBT", "BBTv2"}
    app = open_app(sample_db, "submissions", status="failed")
    assert [row[2] for row in tables(app)["Submissions, newest first"]] == ["division by zero"]
    app.text_input[0].set_value("nobody is called so").run()
    assert "No submission matches" in text_of(app)


def test_reproduction_names_a_packaged_round_and_asks_for_the_file_of_another(
    open_app, sample_db, tmp_path, sample_board
):
    number = number_of(sample_board, "NES v2")
    (command,) = [each.value for each in open_app(sample_db, "submission", id=number).code]
    assert "--round <file of the round> --task sst2" in command
    copy = shutil.copy(sample_db, tmp_path / "public.db")
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute(
            "UPDATE rounds SET name = 'official', "
            "document = json_set(document, '$.name', 'official', '$.is_packaged', json('true'))"
        )
    (command,) = [each.value for each in open_app(copy, "submission", id=number).code]
    assert "--round official --task sst2" in command


def test_submission_page_tells_the_team_how_to_read_its_log(open_app, sample_db, sample_board):
    number = number_of(sample_board, "NES v2")
    shown = text_of(open_app(sample_db, "submission", id=number))
    assert f"Its team can read it at once with `gradfree logs {number}`" in shown
    of_baseline = text_of(open_app(sample_db, "submission", id=number_of(sample_board, "BBTv2")))
    assert "gradfree logs" not in of_baseline


def test_phase_follows_the_clock_while_the_store_stays_as_it_is(open_app, tmp_path, monkeypatch):
    # A store of its own: the pages' cache outlives a test.
    paths = ArenaPaths(tmp_path)
    number = blind_arena(paths)
    before = open_app(paths.public_db)
    assert '<dd class="ga-value">Open</dd>' in text_of(before)
    later = sample_round().round.closes + timedelta(seconds=1)
    monkeypatch.setattr(reader, "datetime", SimpleNamespace(now=lambda _zone: later))
    assert '<dd class="ga-value">Closed</dd>' in text_of(open_app(paths.public_db))
    assert "· closed ·" in text_of(open_app(paths.public_db, "rules"))
    assert "Scores are shown" not in text_of(open_app(paths.public_db, "submission", id=str(number)))


@pytest.mark.parametrize("page", [None, "task", "submissions", "submit", "rules"])
def test_unknown_round_gives_a_clear_page_everywhere(open_app, sample_db, page):
    app = open_app(sample_db, page, round="x")
    assert "Nothing to show here" in text_of(app)
    assert not app.get("form")


@pytest.mark.parametrize("parameters", [{"page": "99"}, {"page": "x"}, {"status": "nonsense"}])
def test_submissions_page_of_nonsense_shows_the_first_of_all(open_app, sample_db, sample_store, parameters):
    app = open_app(sample_db, "submissions", **parameters)
    assert len(tables(app)["Submissions, newest first"]) == len(sample_store.submissions("sample"))


def test_submit_page_without_a_spool_sends_to_the_command_line(open_app, sample_db):
    app = open_app(sample_db, "submit")
    assert "submit with the command line: gradfree submit" in text_of(app)
    assert not app.get("form")


def test_submit_page_of_a_closed_round_says_so(open_app, published_db):
    app = open_app(published_db, "submit")
    assert "This round accepts no submissions: it is published" in text_of(app)
    assert not app.get("form")


def test_submit_page_asks_for_token_and_file_and_names_the_limits(open_app, sample_db, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "takes_uploads", lambda: True)
    app = open_app(sample_db, "submit")
    assert "at most 2 MiB, 64 KiB unpacked" in app.get("file_uploader")[0].proto.label
    app.button[0].click().run()
    assert "Enter your team's token" in text_of(app)
    app.text_input[0].set_value("a token")
    app.button[0].click().run()
    assert "Choose a zip" in text_of(app)


def test_stale_score_is_marked_on_the_board_and_on_its_page(open_app, sample_db, sample_board, tmp_path):
    entry = next(entry for entry in sample_board.entries if entry.solver == "NES v2")
    copy = shutil.copy(sample_db, tmp_path / "public.db")
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE entries SET made_with = 'other' WHERE submission_id = ?", (entry.submission_id,))
    app = open_app(copy)
    assert app.dataframe[0].value.set_index("Solver").loc["NES v2", "Note"] == "stale"
    assert "stale: other data, model, code or machine than the newest score" in text_of(app)
    assert "Stale: other data" in text_of(open_app(copy, "submission", id=str(entry.submission_id)))


def test_running_submission_shows_calls_and_best_loss(open_app, sample_db, sample_board):
    app = open_app(sample_db, "submission", id=number_of(sample_board, "in progress"))
    ((task, _, calls, loss),) = tables(app)["Runs in progress"]
    assert task in SAMPLE_TASKS
    assert calls in {"1,000 of 3,000", "2,666 of 8,000"}
    assert loss == "0.4321"


def test_names_written_as_markup_are_shown_as_text(open_app, tmp_path):
    paths, hostile = (ArenaPaths(tmp_path), "<img src=x onerror=alert(1)> **b** :material/home: [x](http://e.test)")
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, add_round, sample_round(kshot_seeds=(8,)))
        write(sealed, ensure_team, hostile)
        number = enter(sealed, hostile, hostile, round_name="sample", description=hostile)
        publisher.publish()
    for app in (open_app(paths.public_db), open_app(paths.public_db, "submission", id=str(number))):
        rendered = [str(element.value) for elements in (app.markdown, app.caption) for element in elements]
        assert not any("<img" in text.replace("\\<", "") or "**b**" in text for text in rendered)
        assert not any("<img" in piece for piece in pieces(app))


def test_command_listens_locally_and_keeps_to_itself():
    command = streamlit_command(Path("/x/public.db"), port=1234)
    assert command[-2:] == ["--", "/x/public.db"]
    for flag in (
        "--server.address=127.0.0.1",
        "--server.port=1234",
        "--server.headless=true",
        "--server.enableCORS=true",
        "--server.enableXsrfProtection=true",
        "--browser.gatherUsageStats=false",
        "--theme.light.primaryColor=#0072B2",
        "--theme.showWidgetBorder=true",
    ):
        assert flag in command


def test_published_round_shows_confusion_matrices(open_app, published_db):
    caption = "Confusion matrix on {}, in % of the true class"
    app = open_app(published_db, "submission", id="1")
    assert len(tables(app)[caption.format("sst2")]) == 2
    app.get("button_group")[0].set_value("dbpedia").run()
    assert len(tables(app)[caption.format("dbpedia")]) == 14
    app = open_app(published_db, "task", task="snli")
    first = tables(app)[caption.format("snli")]
    assert [row[0] for row in first] == ["1 entailment", "2 neutral", "3 contradiction"]
    app.selectbox[0].select_index(3).run()
    assert tables(app)[caption.format("snli")] != first


def test_open_round_shows_no_confusion(open_app, sample_db):
    assert not any("true class" in caption for caption in tables(open_app(sample_db, "submission", id="1")))
    assert not any("true class" in caption for caption in tables(open_app(sample_db, "task")))
