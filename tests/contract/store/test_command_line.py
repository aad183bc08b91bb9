"""What the command line shows of the stores, and what it lets into them."""

import json
import zipfile

import pytest
from in_store import read, write
from sample_arena import build_sample_arena
from starlette.requests import Request
from store_steps import add_rejudge, end_rejudge, enter, finish_all, quota
from typer.testing import CliRunner

from harness.cli import output
from harness.cli.main import app
from harness.config import load_round
from harness.errors import InvalidSubmission, UsageError
from harness.records import RunSummary, Status, Usage, Verdict
from harness.rounds.intake import baseline_folder, submit
from harness.rounds.lifecycle import create_round
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed.attempts import note_metered, start_attempt, void_attempt
from harness.store.sealed.claims import claim_run
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore, utc_now
from harness.store.sealed.submissions import get_submission, list_submissions
from harness.store.sealed.teams import BASELINE_TEAM, ensure_team
from harness.tasks import load_task_data
from leaderboard.api import routes

LABEL = "predictions only, calls not metered"
ROUND = """
[round]
name = "mini"
version = "1.0"
[model]
source = "toy"
n_prompt_tokens = 10
[limits]
solver_s = 8.0
cpu_s = 20.0
predict_s = 10.0
memory_bytes = 536870912
[[task]]
preset = "sst2"
name = "sst2"
data = "toy"
kshot_seeds = [8]
budget_calls = 40
test_limit = 200
[[task]]
preset = "snli"
name = "snli"
data = "toy"
kshot_seeds = [8]
budget_calls = 40
test_limit = 200
"""


def run(*arguments, fails=None):
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if fails is None:
        assert done.exit_code == 0, (done.output, done.exception)
    else:
        assert isinstance(done.exception, (UsageError, InvalidSubmission))
        assert fails in str(done.exception)
    return done.output


@pytest.fixture(autouse=True)
def _wide_window(monkeypatch):
    monkeypatch.setattr(output.console, "width", 250)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "arena"


@pytest.fixture
def mini(tmp_path):
    path = tmp_path / "mini.toml"
    path.write_text(ROUND)
    return path


@pytest.fixture
def archive(tmp_path, mini):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as file:
        for task in load_round(str(mini)).task:
            labels = load_task_data(task, seeds=()).test.labels
            rows = "".join(f"{row},{label}\n" for row, label in enumerate(labels))
            file.writestr(f"{task.upload_name}/8.csv", ",pred\n" + rows)
    return path


def test_round_show_marks_unofficial_results_and_lists_uploads_under_the_ranking(home):
    build_sample_arena(ArenaPaths(home), n_teams=1, kshot_seeds=(8, 13))
    shown = run("round", "show", "sample", "--home", home)
    (line,) = [line for line in shown.splitlines() if "open window" in line]
    assert "OK, unofficial: no sandbox" in line
    assert shown.count("unofficial") == 1
    assert shown.splitlines()[-1].startswith(f"Unmetered: 82.8 ({LABEL}; not ranked)")
    board = json.loads(run("round", "show", "sample", "--home", home, "--json"))
    entries = {entry["solver"]: entry for entry in board["entries"]}
    assert [name for name, entry in entries.items() if entry["is_official"] is False] == ["open window"]
    assert entries["open window"]["rank"] is None
    (upload,) = board["uploads"]
    assert upload["tasks"]["dbpedia"] == 95.0
    assert (upload["name"], upload["score"], upload["label"]) == ("Unmetered", 82.8, LABEL)


def test_the_command_line_and_the_api_give_one_document(home):
    paths = ArenaPaths(home)
    build_sample_arena(paths, n_teams=2, kshot_seeds=(8, 13))
    endpoints = {route.path: route.endpoint for route in routes(lambda: paths.public_db)}
    path = "/api/leaderboard.json"
    scope = {"type": "http", "path": path, "headers": [], "query_string": b"round=sample"}
    served = json.loads(endpoints[path](Request(scope)).body)
    assert json.loads(run("round", "show", "sample", "--home", home, "--json")) == served
    run("board", "--static", home / "plain", "--home", home)
    assert json.loads((home / "plain" / "api" / "leaderboard.json").read_text()) == served


def test_published_predictions_stand_on_the_board_as_plain_text(home, mini, archive):
    run("round", "create", mini, "--home", home)
    publish = ("score-predictions", archive, "--round", mini, "--home", home, "--team", "Lynx", "--publish")
    assert "shown on the board of mini as [red]x" in run(*publish, "[red]x")
    assert json.loads(run(*publish, "[bold]y", "--json"))["published_as"] == "[bold]y"
    assert f"[bold]y: 100.0 ({LABEL}; not ranked): sst2 100.0, snli 100.0" in run(
        "round", "show", "mini", "--home", home
    )
    board = json.loads(run("round", "show", "mini", "--home", home, "--json"))
    (upload,) = board["uploads"]
    assert upload.pop("created_at")
    assert upload == {"name": "[bold]y", "score": 100.0, "tasks": {"sst2": 100.0, "snli": 100.0}, "label": LABEL}


def test_predictions_are_published_only_in_an_arena_with_the_same_round(home, mini, archive):
    publish = ("score-predictions", archive, "--round", mini, "--home", home, "--publish", "x")
    run(*publish, fails="--publish and --team go together")
    publish += ("--team", "Lynx")
    run(*publish, fails="no arena at")
    run("round", "create", "toy", "--home", home)
    run(*publish, fails="no round mini 1.0; rounds: toy")
    other = mini.with_name("other.toml")
    other.write_text(ROUND.replace("budget_calls = 40", "budget_calls = 41"))
    run("round", "create", other, "--home", home)
    run(*publish, fails="pass the round file that the arena was created with")
    assert json.loads(run("round", "show", "mini", "--home", home, "--json"))["uploads"] == []


def test_worker_without_a_sandbox_runs_bundled_code_alone_and_marks_it(home, mini, tmp_path):
    paths, config = ArenaPaths(home), load_round(str(mini))
    solver = tmp_path / "theirs"
    solver.mkdir()
    (solver / "solver.toml").write_text('name = "theirs"\nentry = "solver:Mine"\n')
    (solver / "solver.py").write_text("class Mine:\n    def solve(self, task, model):\n        raise SystemExit\n")
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        create_round(sealed, publisher, config)
        theirs = submit(sealed, publisher, paths, config, solver, "Lynx")
        ours = submit(sealed, publisher, paths, config, baseline_folder("manual"), BASELINE_TEAM, entry="baseline")
        said = run("worker", "--until-idle", "--unsafe-no-sandbox", "--home", home)
        assert "only baselines and packaged examples run here" in said
        assert "2 runs ended" in said
        assert read(sealed, get_submission, theirs).status is Status.QUEUED
        runs = read(sealed, get_submission, ours).runs
        assert {(each.summary.is_official, each.verdict) for each in runs} == {(False, "OK")}
    assert "OK, unofficial: no sandbox" in run("round", "show", "mini", "--home", home)


def test_published_predictions_count_in_the_quota_once_and_follow_the_round(home, mini, archive, tmp_path):
    mini.write_text(mini.read_text().replace('version = "1.0"', 'version = "1.0"\nmax_submissions = 1', 1))
    run("round", "create", mini, "--home", home, "--draft")
    publish = ("score-predictions", "--round", mini, "--home", home, "--team", "Lynx", "--publish", "x")
    run(*publish, archive, fails="is not open (draft)")
    run("round", "open", "mini", "--home", home)
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04")
    run(*publish, broken, fails="not a readable zip")
    run(*publish, archive)
    run(*publish, archive)
    with SealedStore.open(ArenaPaths(home)) as sealed:
        assert quota(sealed, "Lynx", "mini").used == 1
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert other.read_bytes() != archive.read_bytes()
    run(*publish, other, fails="has used its quota")
    run(*publish[:-3], "Vole", "--publish", "x", archive, fails="was scored before, and not for team Vole")
    board = json.loads(run("round", "show", "mini", "--home", home, "--json"))
    assert len(board["uploads"]) == 1


def test_predictions_published_again_stay_on_a_frozen_board_and_end_with_the_round(home, mini, archive):
    run("round", "create", mini, "--home", home)
    publish = ("score-predictions", "--round", mini, "--home", home, "--team", "Lynx", "--publish")
    run(*publish, "ours", archive)
    run("round", "freeze", "mini", "--home", home)
    run(*publish, "renamed", archive)
    (upload,) = json.loads(run("round", "show", "mini", "--home", home, "--json"))["uploads"]
    assert upload["name"] == "renamed"
    run("round", "close", "mini", "--home", home)
    run(*publish, "too late", archive, fails="is not open (closed)")


def test_what_to_type_next_names_the_version_that_is_meant(home, mini):
    run("round", "create", mini, "--home", home)
    mini.write_text(mini.read_text().replace('version = "1.0"', 'version = "1.1"', 1))
    run("round", "create", mini, "--home", home)
    run("round", "publish", "mini@1.0", "--home", home, fails="gradfree round close mini@1.0")
    run("round", "publish", "mini", "--home", home, fails="gradfree round close mini@1.1")


def test_a_round_that_its_file_opens_later_is_not_said_to_be_open(home, mini):
    mini.write_text(mini.read_text().replace('version = "1.0"', 'version = "1.0"\nopens = 2999-01-01T00:00:00Z', 1))
    run("round", "create", mini, "--home", home)
    said = run("round", "open", "mini", "--home", home)
    assert "round mini is draft until its file opens it, 2999-01-01 00:00 UTC" in said


def test_the_title_of_a_round_is_no_markup(home, mini):
    mini.write_text(mini.read_text().replace('version = "1.0"', 'version = "1.0"\ntitle = "Spring [/closed]"', 1))
    run("round", "create", mini, "--home", home)
    assert "Spring [/closed]" in run("round", "show", "mini", "--home", home)


@pytest.mark.parametrize("command", ["status", "logs", "cancel", "resubmit", "replay"])
def test_no_number_is_too_large_to_be_refused_in_words(home, mini, command):
    run("round", "create", mini, "--home", home)
    done = CliRunner().invoke(app, [command, "9" * 20, "--home", str(home)])
    assert done.exit_code == 2
    assert "9223372036854775807" in done.output  # in the words of Typer


def test_a_cancelled_run_says_whether_it_counts(home, mini):
    run("round", "create", mini, "--home", home)
    with SealedStore.open(ArenaPaths(home)) as sealed, Publisher.open(ArenaPaths(home), sealed) as publisher:
        write(sealed, ensure_team, "Lynx")
        number = enter(sealed, "Lynx", "cma", round_name="mini")
        claim = write(sealed, claim_run, "w", 60)
        write(sealed, note_metered, write(sealed, start_attempt, claim))
        publisher.publish()
        publisher.report(claim, 17, None)
        said = run("status", number, "--home", home)
        assert f"{claim.task} seed 8: running, score -, 17 of 40 calls" in said
        assert f"gradfree logs {number} --home {home}" in said
        run("cancel", number, "--home", home)
    said = run("status", number, "--home", home)
    assert said.count("cancelled after its first query, so it counts") == 1
    assert said.count("0 of 40 calls  cancelled\n") == 1


def test_logs_of_a_run_that_there_is_not_name_those_there_are(home, mini):
    run("round", "create", mini, "--home", home)
    with SealedStore.open(ArenaPaths(home)) as sealed:
        write(sealed, ensure_team, "Lynx")
        number = enter(sealed, "Lynx", "cma", round_name="mini")
    run("logs", number, "--task", "nope", "--home", home, fails="it has sst2 8, snli 8")


def test_a_worker_without_the_shared_folder_holds_nothing(home, mini, tmp_path, monkeypatch):
    run("round", "create", mini, "--home", home)
    with SealedStore.open(ArenaPaths(home)) as sealed:
        write(sealed, ensure_team, "Lynx")
        enter(sealed, "Lynx", "cma", round_name="mini")
        with sealed.write() as tx:
            row = find_round(tx, "mini")
            model = row.config.model.model_copy(update={"source": "path:@shared/m"})
            config = row.config.model_copy(update={"model": model})
            row.rules_json, row.digest = config.canonical_json(), config.digest()
    monkeypatch.setenv("GRADFREE_SHARED", str(tmp_path / "nowhere"))
    worker = ("worker", "--until-idle", "--unsafe-no-sandbox", "--home", home)
    run(*worker, fails="name it with --shared or GRADFREE_SHARED")
    with SealedStore.open(ArenaPaths(home)) as sealed:
        (submission,) = read(sealed, list_submissions)
        assert not any(run_.is_held or run_.n_attempts for run_ in submission.runs)


def test_what_is_held_behind_the_scenes_is_counted_and_released_too(home, mini):
    done = RunSummary(Verdict.OK, 70.0, 60.0, Usage(calls=3), utc_now(), utc_now())
    run("round", "create", mini, "--home", home)
    with SealedStore.open(ArenaPaths(home)) as sealed:
        write(sealed, ensure_team, "Lynx")
        enter(sealed, "Lynx", "cma", round_name="mini")
        finish_all(sealed, done)
        add_rejudge(sealed, round_name="mini")
        for _ in range(2):
            claim = write(sealed, claim_run, "w", 60)
            write(sealed, void_attempt, write(sealed, start_attempt, claim), "device lost")
        finish_all(sealed, done)
        with pytest.raises(UsageError, match="1 staged runs have not ended"):
            end_rejudge(sealed, "mini", is_applied=True)
        said = CliRunner().invoke(app, ["worker", "--until-idle", "--unsafe-no-sandbox", "--home", str(home)])
        assert said.exit_code == 3
        assert "1 run on hold" in said.output
        assert "gradfree round release mini@1.0" in said.output
        assert "1 run released" in run("round", "release", "mini", "--home", home)
        finish_all(sealed, done)
        end_rejudge(sealed, "mini", is_applied=True)
