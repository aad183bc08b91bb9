"""A round from its file to publication, through the command line."""

import sqlite3

from command_line import keep_baseline

ZEROS = "print('hello from solve')\nreturn Solution(zeros(model))"


def test_a_round_with_teams_tokens_and_quotas(cli, mini_round):
    text = mini_round.read_text().replace(
        'version = "1.0"',
        'version = "1.0"\nteams = "registered"\nmax_submissions_per_day = 1\ncloses = 2099-01-01T01:30:00+02:00',
    )
    mini_round.write_text(text)
    cli.run("round", "create", mini_round, "--draft")
    folder = cli.solver("good", ZEROS)
    token = cli.json("team", "add", "Quiet Otters")["token"]
    hand_in = ("submit", folder, "--round", "mini", "--team", "Quiet Otters")
    assert "not open (draft)" in cli.run(*hand_in, "--token", token, expect=2).stderr
    assert "no baseline has run in it yet" in cli.run("round", "open", "mini").stdout
    assert "has a token" in cli.run(*hand_in, expect=2).stderr
    assert "no team" not in cli.run(*hand_in, GRADFREE_TOKEN=token).stdout
    assert "has used its quota" in cli.run(*hand_in, "--token", token, expect=2).stderr
    assert "1 of 2 today" in cli.run("team", "grant", "Quiet Otters", "1", "--round", "mini").stdout
    assert "submission 2" in cli.run("resubmit", "1", "--token", token).stdout
    assert "has a token" in cli.run("cancel", "2", expect=2).stderr
    cli.run("cancel", "2", "--token", token)
    assert cli.json("status", 2)["status"] == "cancelled"
    assert "registered teams" in cli.run("submit", folder, "--round", "mini", "--team", "us", expect=2).stderr
    assert token not in (cli.home / "sealed.db").read_bytes().decode("latin-1")

    assert cli.run("round", "baselines", "mini").stdout.count("is queued") >= 2
    assert "queued" not in cli.run("round", "baselines", "mini").stdout
    keep_baseline(cli, "manual")
    cli.run("worker", "--until-idle")
    (log,) = cli.json("logs", 1, "--token", token)
    assert (log["verdict"], log["log"]) == ("OK", "hello from solve\n")
    assert "has a token" in cli.run("logs", "1", expect=2).stderr

    assert "every score was made with the same" in cli.run("round", "stale", "mini").stdout
    listed = cli.process("round", "list", TZ="Asia/Tokyo").stdout
    assert "closes 2098-12-31 23:30 UTC (2099-01-01 08:30 here, +0900)" in listed
    assert "practice" in cli.run("round", "show", "mini").stdout
    cli.run("round", "close", "mini")
    cli.run("round", "publish", "mini")
    board = cli.json("round", "show", "mini")
    assert (board["round"]["phase"], board["round"]["is_final"]) == ("published", True)
    with sqlite3.connect(cli.home / "sealed.db") as database:
        private, public = database.execute(
            "SELECT score_private, score_public FROM runs WHERE submission_id = 1"
        ).fetchone()
        kinds = [kind for (kind,) in database.execute("SELECT kind FROM events")]
    database.close()
    assert private != public
    (entry,) = (entry for entry in board["entries"] if entry["solver"] == "good" and entry["rank"] == 1)
    assert entry["score"] == private
    assert {"token given", "grant added", "submission cancelled", "test rows read", "phase changed"} <= set(kinds)


def test_a_round_that_names_what_is_not_there_is_refused_before_its_name_is_taken(cli, mini_round):
    text = mini_round.read_text().replace('source = "toy"', 'source = "path:nowhere"')
    text = text.replace('data = "toy"', 'data = "files:no-data"\ntest = "test.jsonl"\npool = "pool.jsonl"')
    text = text.replace('version = "1.0"', 'version = "1.0"\ncloses = 2020-01-01T00:00:00Z')
    mini_round.write_text(text)
    said = cli.run("round", "create", mini_round, expect=2).stderr
    for part in ("4 problem(s)", "round.closes", "has passed", "model.source", "no-data/pool.jsonl", "no-data/test"):
        assert part in said
    assert not cli.home.exists()


def test_what_a_newcomer_gets_wrong_is_said_in_their_words(cli):
    broken = cli.solver("broken", "return Solution(")
    assert "solver.py, line" in cli.run("check", broken, expect=1).stderr
    good = cli.solver("good", ZEROS)
    trial = cli.run("try", good, "--task", "sst2", "--calls", "1000")
    assert "above the round's budget of 400" in trial.stderr
    said = cli.process("round", "show", "nowhere-to-be-found-" * 8, expect=2, COLUMNS="").stderr
    assert said.count("\n") == 1
