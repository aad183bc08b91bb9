"""The command line as an organizer and a participant use it."""

import json
import sqlite3
import stat
import sys
import zipfile

import pytest
from command_line import CommandLine, keep_baseline, write_round


def test_a_round_from_the_file_to_the_ranking(cli, mini_round):
    cli.run("round", "create", mini_round)
    cli.run("new", "mine")
    assert "OK" in cli.run("check", "mine").stdout
    (number,) = cli.json("submit", "mine", "--round", "mini", "--team", "us").values()
    cli.run("round", "baselines", "mini")
    keep_baseline(cli, "manual")
    assert cli.json("status", number)["status"] == "queued"
    cli.process("worker", "--until-idle")
    board = cli.json("round", "show", "mini")
    entries = {entry["solver"]: entry for entry in board["entries"]}
    assert set(entries) >= {"mine", "manual"}
    for entry in board["entries"]:
        assert set(entry) >= {"solver", "rank", "score", "tasks", "calls", "verdict", "is_baseline"}
        assert set(entry["tasks"]) == {"sst2"}
    assert entries["mine"]["rank"] == 1
    assert entries["mine"]["calls"] == 40
    assert entries["manual"]["is_baseline"] is True
    assert entries["manual"]["rank"] is None
    assert entries["manual"]["calls"] == 0
    assert "mine" in cli.run("round", "show", "mini").stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of an arena with one finished submission; to look at, not to change."""
    cli = CommandLine(tmp_path_factory.mktemp("finished"))
    cli.run("round", "create", write_round(cli.folder))
    cli.run("submit", cli.solver("good", "return Solution(zeros(model))"), "--round", "mini", "--team", "us")
    cli.run("worker", "--until-idle")
    return cli.home


def test_the_database_holds_verdict_score_calls_and_hashes_of_every_run(finished):
    with sqlite3.connect(finished / "sealed.db") as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(runs)")]
        rows = [dict(zip(columns, row, strict=True)) for row in database.execute("SELECT * FROM runs")]
    database.close()
    assert len(rows) == 1
    (run,) = rows
    assert run["verdict"] in {"OK", "Verdict.OK"}
    assert 0 <= run["score_public"] <= 100
    assert run["calls"] == 0
    summary = json.loads(run["summary"])
    hashes = summary["hashes"]
    of_platform = {"data", "model", "tokenizer", "code", "packages", "profile"}
    assert set(hashes) == {"submission", "round", *of_platform}
    assert all(len(value) == 64 for value in hashes.values())
    artifact = json.loads((finished / "sealed" / "artifacts" / summary["artifact_path"]).read_text())
    assert artifact["hashes"] == hashes
    assert artifact["schema_version"] == "1"
    assert len(artifact["predictions"]) == 200
    assert stat.S_IMODE((finished / "sealed").stat().st_mode) == 0o700
    assert stat.S_IMODE((finished / "sealed.db").stat().st_mode) == 0o600


def test_private_scores_and_predictions_stay_out_of_the_public_store(finished):
    (artifact,) = (finished / "sealed" / "artifacts").iterdir()
    scores = json.loads(artifact.read_text())["scores"]
    assert scores["n_public"] == scores["n_private"] == 100
    with sqlite3.connect(finished / "public.db") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    assert "private" not in dump.lower()
    assert "predictions" not in dump.lower()
    assert repr(scores["public"]) in dump


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("try", "manual", "--task", "sst3"), "has no task 'sst3'; it has sst2, dbpedia, snli, qqp, qnli"),
        (("try", "manual", "--task", "sst2", "--seed", "5"), "no k-shot seed 5"),
        (("try", "nowhere"), "no such folder or zip"),
        (("try", "lora"), "gradfree baselines references --only lora"),
        (("new", "/proc/nowhere/mine"), "/proc/nowhere/mine cannot be made: "),
        (("try", "manual", "--round", "tpy"), "packaged round"),
        (("round", "show", "toy"), "arena"),
        (("status", "1"), "arena"),
        (("submit", "x", "--team", "us"), "arena"),
        (("frobnicate",), "No such command"),
        (("try", "manual", "--seed", "8", "--seed", "9"), "task 'sst2' has no k-shot seed 9; it has [8,"),
        (("try", "manual", "--round", "r" * 300), "no file can have so long a name"),
        (("new", "Mön solver"), "the folder's name names the solver: letters, digits, spaces"),
    ],
)
def test_wrong_usage_exits_with_two_and_says_what_to_do(cli, arguments, message):
    run = cli.process if arguments == ("frobnicate",) else cli.run
    done = run(*arguments, expect=2)
    assert message in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_a_malformed_round_file_reports_every_error_and_stores_nothing(cli, mini_round):
    mini_round.write_text(mini_round.read_text().replace('"mini"', '"?"').replace("= 40", '= "many"') + "odd = 1\n")
    done = cli.run("round", "create", mini_round, expect=2)
    for part in ("3 problem(s)", "round.name", "budget_calls", "odd"):
        assert part in done.stderr
    assert not cli.home.exists()


def test_a_toy_task_that_there_is_not_is_refused_before_the_round_is_bound(cli, mini_round):
    mini_round.write_text(mini_round.read_text().replace('name = "sst2"', 'name = "senti"'))
    done = cli.run("round", "create", mini_round, expect=2)
    assert "task[0].name: the toy data has no task 'senti'; it has sst2, dbpedia" in done.stderr
    done = cli.run("try", "manual", "--round", mini_round, expect=2)
    assert "Toy data: got task 'senti', split 'test', expected a task of sst2, dbpedia" in done.stderr


def test_logs_of_a_submission_that_never_ran_say_so(cli, mini_round):
    cli.run("round", "create", mini_round)
    cli.run("submit", cli.solver("mine", "return Solution(zeros(model))"), "--team", "us", "--round", "mini")
    assert "nothing yet" in cli.run("logs", "1").stdout
    cli.run("cancel", "1")
    assert "none of its runs was started" in cli.run("logs", "1").stdout


def test_an_export_that_cannot_be_written_says_so(cli, mini_round):
    cli.run("round", "create", mini_round)
    done = cli.run("round", "export", "mini", "--to", "/proc/nowhere/mini.zip", expect=2)
    assert "/proc/nowhere/mini.zip cannot be written: " in done.stderr
    before = mini_round.read_bytes()
    done = cli.run("round", "export", "mini", "--to", mini_round, expect=2)
    assert "exists already and is no export; name another file with --to" in " ".join(done.stderr.split())
    assert mini_round.read_bytes() == before
    for _ in range(2):
        cli.run("round", "export", "mini", "--to", cli.folder / "mini.zip")


def test_a_new_solver_may_have_a_name_of_several_words(cli):
    made = cli.run("new", "my solver").stdout
    assert "gradfree check 'my solver'" in made
    cli.run("check", "my solver")


def test_round_create_looks_into_local_data(cli, mini_round, tmp_path):
    rows = "\n".join(f"row {n},{n % 2}" for n in range(100))
    (tmp_path / "pool.csv").write_text("sentence,label\n" + rows)
    (tmp_path / "test.csv").write_text("sentence,label\ngood fun,1\nno fun,0\n")
    text = mini_round.read_text()
    files = text.replace(
        'data = "toy"', 'data = "files:."\npool = "pool.csv"\ntest = "test.csv"\npublic_fraction = 1.0'
    )
    for change, problem in (
        ('label = "lable"', "no column 'lable'; it has sentence, label"),
        ("k_shot = 80", "class 0 has 50"),
        ('words = ["good", "good"]', "words"),
    ):
        mini_round.write_text(files + change + "\n")
        done = cli.run("round", "create", mini_round, expect=2)
        assert problem in " ".join(done.stderr.split())
        assert not cli.home.exists()
    mini_round.write_text(files)
    assert "1 task, 1 run per submission" in cli.run("round", "create", mini_round).stdout


def test_an_arena_made_by_mistake_is_told(cli):
    assert "created a new one" in cli.run("team", "add", "Otters").stderr
    assert "created" not in cli.run("team", "add", "Lynx").stderr


def test_other_rules_under_the_same_version_are_refused(cli, mini_round):
    cli.run("round", "create", mini_round)
    cli.run("round", "create", mini_round)
    mini_round.write_text(mini_round.read_text().replace("= 40", "= 41"))
    assert "raise its version" in cli.run("round", "create", mini_round, expect=2).stderr


def test_an_invalid_submission_exits_with_one(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no solver.toml" in cli.run("check", "empty", expect=1).stderr


def test_without_a_sandbox_nothing_runs_unless_it_is_said(cli, mini_round, tmp_path):
    """Fail closed: bubblewrap is taken off the path, and the message says how to get it back."""
    tools = tmp_path / "tools"
    tools.mkdir()
    done = cli.process("try", "manual", "--round", mini_round, expect=3, PATH=str(tools))
    assert "bubblewrap" in done.stderr
    assert "apt install bubblewrap" in done.stderr
    runs = cli.json("try", "manual", "--round", mini_round, "--unsafe-no-sandbox", PATH=str(tools))
    assert runs[0]["is_official"] is False
    done = cli.run("doctor", expect=3, PATH=str(tools))
    assert "apt install bubblewrap" in " ".join(done.stdout.split())


def test_a_zip_is_a_submission_too(cli, mini_round, tmp_path):
    folder = cli.solver("good", "return Solution(zeros(model))")
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"good/{path.name}")
    (run,) = cli.json("try", "good.zip", "--round", mini_round)
    assert run["verdict"] == "OK"


def test_ctrl_c_is_told(monkeypatch, capsys):
    from harness.cli import main

    monkeypatch.setattr(main, "app", lambda: sys.exit(130))
    with pytest.raises(SystemExit) as stopped:
        main.main()
    assert (stopped.value.code, capsys.readouterr().err) == (130, "stopped\n")
