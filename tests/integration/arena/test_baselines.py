"""`gradfree baselines`, as an organizer types it."""

import json
import os
import shutil
from importlib.resources import files

import pytest

from harness.rounds.intake import packaged_baselines


def test_list_names_every_baseline_with_its_parameters(cli):
    found = {item["name"]: item for item in cli.json("baselines", "list")}
    assert {"manual", "bbt", "bbtv2", "ajo", "bbt_rgb", "dect", "linear_probe", "feature_mlp"} <= set(found)
    # The toy's settings, not RoBERTa-large's.
    assert found["bbtv2"]["params"]["intrinsic_dim"] == 50
    assert found["ajo"]["params"]["intrinsic_dim"] == 50
    assert found["bbtv2"]["kind"] == "solver"
    assert found["lpt"]["kind"] == "gradient reference, not ranked"
    assert found["lpt"]["params"]["generator"] == "appg"
    assert "intrinsic_dim = 50" in cli.run("baselines", "list").stdout


def test_a_new_baseline_is_a_folder_and_nothing_else(cli, mini_round):
    packaged = shutil.copytree(str(files("baselines")), cli.folder / "baselines")
    for name, manifest, copied in (("mine", "solver.toml", "manual"), ("mine_tuned", "reference.toml", "bitfit")):
        shutil.copytree(packaged / copied, packaged / name)
        text = (packaged / name / manifest).read_text()
        (packaged / name / manifest).write_text(text.replace(f'name = "{copied}"', f'name = "{name}"'))

    def process(*arguments):
        path = os.pathsep.join([str(cli.folder), os.environ.get("PYTHONPATH", "")])
        return json.loads(cli.process(*arguments, "--json", PYTHONPATH=path).stdout)

    listed = {item["name"] for item in process("baselines", "list")}
    assert {"mine", "mine_tuned"} <= listed
    (row,) = process("baselines", "run", "--round", mini_round, "--only", "mine")
    assert (row["name"], row["failures"]) == ("mine", [])
    pytest.importorskip("peft", reason="the extra 'references' is not installed")
    options = ("--round", mini_round, "--only", "mine_tuned", "--steps", 2)
    (row,) = process("baselines", "references", *options)
    assert row["name"] == "mine_tuned"


def test_each_version_of_a_round_has_its_own_entries(cli, mini_round):
    cli.run("round", "create", mini_round)
    first = cli.run("round", "baselines", "mini").stdout
    assert first.count("is queued") == len(first.splitlines()) == len(packaged_baselines())
    mini_round.write_text(mini_round.read_text().replace('"1.0"', '"1.1"'))
    cli.run("round", "create", mini_round)
    again = first.replace("is queued", "is in the round already")
    assert cli.run("round", "baselines", "mini@1.0").stdout == again
    assert cli.run("round", "baselines", "mini").stdout.count("is queued") == len(packaged_baselines())
    assert cli.run("round", "baselines", "mini@1.0").stdout == again


def test_run_of_a_solver_that_there_is_not_makes_no_arena(cli, mini_round):
    done = cli.run("baselines", "run", "--round", mini_round, "--only", "nope", expect=2)
    assert "there is no baseline 'nope'" in done.stderr
    assert not cli.home.exists()


def test_run_goes_through_the_queue_and_prints_method_by_task(cli, mini_round):
    names = ("--only", "manual", "--only", "calibrated", "--only", "dect")
    first = cli.json("baselines", "run", "--round", mini_round, *names)
    assert {row["name"] for row in first} == {"manual", "calibrated", "dect"}
    board = {entry["solver"]: entry for entry in cli.json("round", "show", "mini")["entries"]}
    for row in first:
        assert row["calls"] == board[row["name"]]["calls"]
        (score,) = row["scores"]["sst2"]
        assert board[row["name"]]["rank"] is None
        # All test rows here, the public half on the board: close, and not the same figure.
        assert score == pytest.approx(board[row["name"]]["score"], abs=12)
    # Again: nothing is run twice, and the figures are the same.
    assert cli.json("baselines", "run", "--round", mini_round, *names) == first
    assert len(cli.json("round", "show", "mini")["entries"]) == 3
    table = cli.run("baselines", "run", "--round", mini_round, *names, "--markdown").stdout.splitlines()
    assert table[0] == "| method | sst2 | mean [95 %] | calls | seconds |"
    assert len(table) == 2 + 3


def test_run_serves_the_version_that_was_asked_for(cli, mini_round):
    newer = cli.folder / "newer.toml"
    newer.write_text(mini_round.read_text().replace('"1.0"', '"1.1"'))
    cli.run("round", "create", mini_round)
    cli.run("round", "create", newer)
    (row,) = cli.json("baselines", "run", "--round", mini_round, "--only", "calibrated")
    assert row["calls"] == 1
    assert cli.json("round", "show", "mini")["entries"] == []


def test_run_that_only_platform_errors_kept_from_a_result_says_so_and_exits_with_three(cli, mini_round):
    model = cli.folder / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    mini_round.write_text(mini_round.read_text().replace('source = "toy"', f'source = "path:{model}"'))
    done = cli.run("baselines", "run", "--round", mini_round, "--only", "manual", expect=3)
    assert "sst2 8: queued" in done.stdout
    assert "1 run on hold after platform errors" in done.stderr
    assert "gradfree round release mini@1.0" in done.stderr


def test_run_of_a_part_needs_an_arena_of_its_own(cli, mini_round):
    cli.run("baselines", "run", "--round", mini_round, "--only", "manual")
    done = cli.run("baselines", "run", "--round", mini_round, "--only", "manual", "--calls", 7, expect=2)
    assert "--calls make other rules than those that mini@1.0 has" in done.stderr
    assert "use a separate arena: --home" in done.stderr
    other = cli.folder / "other"
    (row,) = cli.json("baselines", "run", "--round", mini_round, "--only", "calibrated", "--calls", 7, "--home", other)
    assert row["calls"] == 1


def test_run_of_a_task_that_the_round_lacks_is_refused(cli, mini_round):
    done = cli.run("baselines", "run", "--round", mini_round, "--task", "mnli", expect=2)
    assert "no task 'mnli'; it has sst2" in done.stderr


def test_run_of_a_solver_that_fails_says_so_and_exits_with_one(cli, mini_round):
    # 40 calls do not hold a round of 24 layers' worth at the published population.
    done = cli.run("baselines", "run", "--round", mini_round, "--only", "bbtv2", expect=1)
    assert "sst2 8: RTE" in done.stdout


def test_references_stand_on_the_board_without_a_rank(cli, mini_round):
    pytest.importorskip("peft", reason="the extra 'references' is not installed")
    cli.run("round", "create", mini_round)
    options = ("--round", mini_round, "--only", "lora", "--steps", 5)
    (row,) = cli.json("baselines", "references", *options, "--publish")
    assert row["calls"] is None
    (shown,) = cli.json("round", "show", "mini")["uploads"]
    assert shown["name"] == "lora, 5 steps (gradient reference, not ranked)"
    assert "rank" not in shown
    done = cli.run("baselines", "references", *options, "--publish", "--task", "sst2", expect=0)
    assert "lora · sst2 · seed 8" in done.stdout


def test_references_are_checked_before_anything_trains(cli, mini_round):
    pytest.importorskip("peft", reason="the extra 'references' is not installed")
    options = ("baselines", "references", "--round", mini_round, "--steps", 1)
    done = cli.run(*options, "--only", "bitfit", "--only", "bitfitt", expect=2)
    assert "Gradient reference: got 'bitfitt'" in done.stderr
    done = cli.run(*options, "--only", "bitfit", "--publish", expect=2)
    assert "no arena at" in done.stderr
    assert "bitfit · sst2" not in done.stdout
    cli.run("round", "create", mini_round)
    mini_round.write_text(mini_round.read_text().replace("budget_calls = ", "budget_calls = 1"))
    done = cli.run(*options, "--only", "bitfit", "--publish", expect=2)
    assert "pass the round file that the arena was created with" in done.stderr
    assert "bitfit · sst2" not in done.stdout


def test_references_find_the_runs_that_they_kept(cli, mini_round):
    pytest.importorskip("peft", reason="the extra 'references' is not installed")
    kept = cli.folder / "kept"
    options = ("baselines", "references", "--round", mini_round, "--only", "bitfit", "--keep", kept)
    first = cli.json(*options, "--steps", 2)
    (path,) = kept.iterdir()
    before = path.read_bytes()
    assert cli.json(*options, "--steps", 2) == first
    assert "kept from before" in cli.run(*options, "--steps", 2).stdout
    table = cli.run(*options, "--steps", 2, "--markdown").stdout.splitlines()
    assert table[0] == "| method | sst2 | mean [95 %] | calls | seconds |"
    cli.run(*options, "--steps", 3)
    assert len(list(kept.iterdir())) == 2
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o077 == 0
    done = cli.run(*options[:-1], path, expect=2)
    assert f"Cannot keep runs in {path}" in done.stderr.replace("\n", "")
    assert "bitfit · sst2" not in done.stdout
    path.write_bytes(before[:40])
    done = cli.run(*options, "--steps", 2, expect=2)
    assert f"{path}: not a kept run" in done.stderr.replace("\n", "")


def test_run_over_a_file_that_is_not_there_binds_no_round(cli, mini_round):
    mini_round.write_text(mini_round.read_text().replace('data = "toy"', 'data = "files:data"'))
    done = cli.run("baselines", "run", "--round", mini_round, "--only", "manual", expect=2)
    assert "task[0].test: no file" in done.stderr
    assert not cli.home.exists()
