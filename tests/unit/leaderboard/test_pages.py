"""Every page and state, run by Streamlit itself without a browser."""

import sys
from pathlib import Path

import pytest
from sample_arena import sample_round
from streamlit.testing.v1 import AppTest

import leaderboard
from harness.records import Status
from harness.store import ArenaPaths, Publisher, SealedStore
from leaderboard.launch import PUBLIC_DB_VARIABLE, streamlit_command

APP = str(Path(leaderboard.__file__).parent / "app.py")


@pytest.fixture
def open_app(monkeypatch):
    def opening(public_db, page=None, **parameters):
        monkeypatch.setattr(sys, "argv", ["streamlit"])
        monkeypatch.setenv(PUBLIC_DB_VARIABLE, str(public_db))
        app = AppTest.from_file(APP, default_timeout=30)
        for name, value in parameters.items():
            app.query_params[name] = value
        if page is not None:
            app.switch_page(f"pages/{page}.py")
            for name, value in parameters.items():
                app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return opening


def text_of(app):
    kinds = (app.markdown, app.caption, app.info, app.error, app.warning, app.text, app.subheader)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def number_of(board, name):
    return str(next(entry.submission_id for entry in board.entries if entry.name == name))


def test_board_shows_every_entry_in_order(open_app, sample_db, sample_board):
    app = open_app(sample_db)
    table = app.dataframe[0]
    assert table.value["Team"].tolist() == [entry.team for entry in sample_board.entries]
    assert "Ivory Moths" in text_of(app)


def test_board_marks_unofficial_results_and_shows_uploads_apart(open_app, sample_db, sample_board):
    app = open_app(sample_db)
    ranking, uploads = (table.value for table in app.dataframe)
    assert ranking.set_index("Solver").loc["open window", "Verdict"] == "OK, unofficial: no sandbox"
    assert uploads["Name"].tolist() == ["Unmetered"]
    assert not {"#", "Calls ↓"} & set(uploads.columns)
    assert "Predictions only, calls not metered" in text_of(app)
    page = open_app(sample_db, "submission", id=number_of(sample_board, "open window"))
    assert "Unofficial: no sandbox" in text_of(page)
    assert set(page.dataframe[1].value["Verdict"]) == {"OK, unofficial: no sandbox"}


def test_board_without_a_submission_still_shows_uploads(open_app, tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        facts = sample_round(kshot_seeds=(8,))
        sealed.add_round(facts)
        scores = {task.name: 50.0 for task in facts.tasks}
        sealed.add_upload("sample", "<b>x</b> **y**", "a" * 64, scores, 50.0)
        publisher.publish()
    app = open_app(paths.public_db)
    assert app.dataframe[0].value["Name"].tolist() == ["<b>x</b> **y**"]
    assert "<b>" not in text_of(app)


def test_board_search_and_baseline_switch_filter_the_table(open_app, sample_db):
    app = open_app(sample_db)
    app.toggle[0].set_value(False).run()
    assert not any(name.startswith("◆") for name in app.dataframe[0].value["Solver"])
    app.text_input[0].set_value("lynx").run()
    assert app.dataframe[0].value["Team"].tolist() == ["Ionic Lynx"]
    app.text_input[0].set_value("nobody is called so").run()
    assert not any("Team" in table.value for table in app.dataframe)
    assert "No entry matches" in text_of(app)
    assert not app.exception


def test_board_opens_with_the_columns_of_the_address(open_app, sample_db):
    assert "Tokens ↓" in open_app(sample_db, view="cost").dataframe[0].value.columns


def test_board_with_an_unknown_view_falls_back_to_scores(open_app, sample_db):
    assert "SST-2 ↑" in open_app(sample_db, view="nonsense").dataframe[0].value.columns


def test_unknown_round_gives_a_clear_page_with_the_name_made_harmless(open_app, sample_db):
    app = open_app(sample_db, round="<b>x</b>")
    assert "no round" in text_of(app)
    assert "<b>" not in text_of(app)


@pytest.mark.parametrize("number", ["", "9999", "-1", "1e3", "²", "9" * 40, "<script>"])
def test_unknown_submission_gives_a_clear_page(open_app, sample_db, number):
    app = open_app(sample_db, "submission", id=number)
    assert "Nothing to show here" in text_of(app)


def test_missing_store_gives_a_clear_page(open_app, tmp_path):
    assert "the file is missing" in text_of(open_app(tmp_path / "public.db")).replace("\\", "")


def test_file_that_is_no_store_gives_a_clear_page(open_app, tmp_path):
    (tmp_path / "public.db").write_text("not a database " * 50)
    assert "cannot be read as a public store" in text_of(open_app(tmp_path / "public.db"))


def test_store_without_a_round_gives_a_clear_page(open_app, tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        publisher.publish()
        assert "no round has been published yet" in text_of(open_app(paths.public_db))


def test_new_results_appear_with_the_next_run(open_app, tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        sealed.add_round(sample_round(kshot_seeds=(8,)))
        sealed.ensure_team("Lynx")
        publisher.publish()
        app = open_app(paths.public_db)
        assert "No submission yet" in text_of(app)
        sealed.add_submission("sample", "Lynx", "late", "a" * 64, "x")
        publisher.publish()
        app.run()
        assert app.dataframe[0].value["Team"].tolist() == ["Lynx"]


def test_two_rounds_can_be_chosen_between(open_app, tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        for name in ("first", "second"):
            sealed.add_round(sample_round(name, kshot_seeds=(8,)))
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
        ("BBTv2", "baseline"),
        ("patient search", "Scored on a checkpoint"),
        ("division by zero", "the solver raised an error"),
        ("unlucky", "held for the organizer"),
        ("withdrawn", "was cancelled"),
    ],
)
def test_submission_page_says_where_it_stands(open_app, sample_db, sample_board, name, expected):
    app = open_app(sample_db, "submission", id=number_of(sample_board, name))
    assert expected in text_of(app)
    scores, runs = app.dataframe[0].value, app.dataframe[1].value
    assert len(scores) == 5
    assert len(runs) == 10


@pytest.mark.parametrize("name", ["in progress", "in the queue"])
def test_submission_page_of_unfinished_work_shows_progress(open_app, sample_db, sample_board, name):
    entry = next(entry for entry in sample_board.entries if entry.name == name)
    assert entry.status in {Status.RUNNING, Status.QUEUED}
    app = open_app(sample_db, "submission", id=str(entry.submission_id))
    assert f"{entry.n_runs_done} of 10 runs ended" in text_of(app)


def test_rules_page_shows_tasks_and_the_formula(open_app, sample_db):
    app = open_app(sample_db, "rules")
    assert app.dataframe[0].value["Task"].tolist() == ["SST-2", "QQP", "QNLI", "SNLI", "DBPedia"]
    assert "fewer charged calls" in text_of(app)


def test_names_written_as_markup_are_shown_as_text(open_app, tmp_path):
    paths, hostile = (
        ArenaPaths(tmp_path),
        "<img src=x onerror=alert(1)> **b** :material/home: [x](http://e.test)",
    )
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        sealed.add_round(sample_round(kshot_seeds=(8,)))
        sealed.ensure_team(hostile)
        number = sealed.add_submission("sample", hostile, hostile, "a" * 64, "x", description=hostile)
        publisher.publish()
    for app in (open_app(paths.public_db), open_app(paths.public_db, "submission", id=str(number))):
        rendered = [str(element.value) for elements in (app.markdown, app.caption) for element in elements]
        assert not any("<img" in text.replace("\\<", "") or "**b**" in text for text in rendered)


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
