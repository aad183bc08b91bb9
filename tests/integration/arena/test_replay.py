"""A replay is bit-identical, or it names the first query that differs and whom it blames."""

import shutil

import pytest
from in_store import read

from harness.rounds.intake import baseline_folder
from harness.rounds.replay import Difference, first_difference
from harness.session.trace import TraceEntry
from harness.store.paths import ArenaPaths
from harness.store.sealed.events import read_events
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import get_submission


def test_replay_of_bbtv2_is_bit_identical_and_one_changed_line_is_found(cli, mini_round):
    text = mini_round.read_text().replace("budget_calls = 40", "budget_calls = 130")
    mini_round.write_text(text + "[solver_params.bbtv2]\nintrinsic_dim = 20\npopulation_size = 10\neval_every = 40\n")
    cli.run("round", "create", mini_round)
    cli.run("submit", copy_of_bbtv2(cli.folder / "mine"), "--round", "mini", "--team", "us")
    cli.run("worker", "--until-idle")
    (run,) = cli.json("status", 1)["runs"]
    assert run["verdict"] == "OK", run
    report = cli.json("replay", run["run"])
    assert report["is_identical"] is True
    assert report["n_queries"] > 10
    assert report["changed"] == {}

    changed = copy_of_bbtv2(cli.folder / "changed")
    code = (changed / "solver.py").read_text()
    line = "best[layer] = (projections[layer] @ np.float32(search.result.xbest)).reshape(shape)"
    assert code.count(line) == 1
    (changed / "solver.py").write_text(code.replace(line, line.replace("xbest", "xfavorite")))
    report = cli.json("replay", run["run"], "--with", changed, expect=1)
    assert report["is_identical"] is False
    # The first generation, of the first layer, asks the same: what it found is used from the second on.
    assert report["difference"]["what"] == "request"
    assert report["difference"]["query"] == 3
    assert set(report["changed"]) == {"submission"}
    with SealedStore.open(ArenaPaths(cli.home)) as sealed:
        (own, other) = (
            event.detail["digest"] for event in read(sealed, read_events, 1) if event.kind == "run replayed"
        )
        assert own == read(sealed, get_submission, 1).digest != other
    assert "first differs at query 3" in cli.run("replay", run["run"], "--with", changed, expect=1).stdout


def test_code_of_others_is_not_replayed_without_a_sandbox(cli, mini_round):
    cli.run("round", "create", mini_round)
    cli.run("submit", copy_of_bbtv2(cli.folder / "mine"), "--round", "mini", "--team", "us")
    cli.run("round", "baselines", "mini")
    with SealedStore.open(ArenaPaths(cli.home)) as sealed:
        theirs, ours = (read(sealed, get_submission, number).runs[0].run_id for number in (1, 2))
    done = cli.run("replay", theirs, "--unsafe-no-sandbox", expect=2)
    assert "code of others is not replayed without a sandbox" in done.stderr
    # One of our own gets further: it only has not run yet.
    assert "only finished runs can be replayed" in cli.run("replay", ours, "--unsafe-no-sandbox", expect=2).stderr


def copy_of_bbtv2(folder):
    shutil.copytree(baseline_folder("bbtv2"), folder, ignore=shutil.ignore_patterns("__pycache__"))
    manifest = folder / "solver.toml"
    manifest.write_text(
        'name = "mine"\nentry = "solver:BBTv2"\n[params]\nintrinsic_dim = 20\npopulation_size = 10\neval_every = 40\n'
    )
    return folder


def entry(calls, request="a", response="b"):
    return TraceEntry(calls, request, response)


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        ([entry(1), entry(2)], None),
        ([entry(1), entry(2, request="x", response="y")], Difference(2, 2, "request")),
        ([entry(1, response="y"), entry(2)], Difference(1, 1, "response")),
        ([entry(1)], Difference(2, 2, "missing")),
        ([entry(1), entry(2), entry(3)], Difference(3, None, "extra")),
    ],
)
def test_the_first_difference_names_query_and_culprit(again, expected):
    assert first_difference([entry(1), entry(2)], again) == expected
