"""A scripted round under `kill -9`: six teams, twenty submissions, two workers, and nothing is lost.

Every submission must have exactly one right outcome, the ledgers must add up, and the ranking must equal
that of an undisturbed run. `make chaos` does so for ten minutes, `make test` for about one.
"""

import json
import random
import statistics
import time
import zipfile

import pytest
from arena_books import check_books
from forked_worker import ForkedWorker
from in_store import read, write
from store_steps import quota

from harness.config import load_round
from harness.errors import InvalidSubmission, UsageError
from harness.records import Verdict
from harness.rounds.export import export_round
from harness.rounds.intake import submit
from harness.rounds.lifecycle import create_round
from harness.rounds.verify import verify_export
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.public.reader import PublicStore
from harness.store.sealed.claims import has_waiting_runs
from harness.store.sealed.queue import release_hold
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import get_submission, list_submissions
from harness.store.sealed.teams import ensure_team

ROUND = """
[round]
name = "chaos"
version = "1.0"
max_submissions = 4
[model]
source = "toy"
n_prompt_tokens = 10
[limits]
solver_s = 10.0
cpu_s = 20.0
predict_s = 30.0
memory_bytes = 1073741824
[[task]]
preset = "sst2"
name = "sst2"
data = "toy"
kshot_seeds = [8]
budget_calls = 12
test_limit = 200
"""

SEARCH = """
rng = np.random.default_rng(task.solver_seed + {salt})
best, lowest = zeros(model), np.inf
for _ in range({calls}):
    candidate = zeros(model) + rng.normal(0, 0.3, zeros(model).shape).astype(np.float32)
    logits = model.query(candidate).logits[0]
    loss = -(logits[np.arange(len(logits)), task.train.labels]).mean()
    if loss < lowest:
        best, lowest = candidate, loss
        model.checkpoint(Solution(best))
    time.sleep(0.02)
return Solution(best)
"""
SOLVERS = {
    # name: (team, code, verdict or what the intake answers)
    **{f"good-{n}": (f"team-{n % 6}", SEARCH.format(salt=n, calls=4 + n), "OK") for n in range(6)},
    "zeros": ("team-0", "return Solution(zeros(model))", "OK"),
    "exact": ("team-1", "model.query(np.repeat(zeros(model), 12, 0))\nreturn Solution(zeros(model))", "OK"),
    "crash-early": ("team-2", "raise ValueError('at once')", "RTE"),
    "crash-late": ("team-3", "model.query(zeros(model))\nraise ValueError('after a call')", "RTE"),
    "crash-odd": ("team-4", "return 42", "RTE"),
    "slow": ("team-5", "model.query(zeros(model))\ntime.sleep(600)", "TLE"),
    "slow-saved": ("team-4", "model.checkpoint(Solution(zeros(model)))\ntime.sleep(600)", "TLE"),
    "greedy": ("team-3", "while True: model.query(zeros(model))", "RTE"),
    "greedy-saved": ("team-2", "model.checkpoint(Solution(zeros(model)))\nwhile True: model.query(zeros(model))", "OK"),
    "hostile": ("team-1", "import os\nos.kill(os.getppid(), 9)\nos.kill(1, 9)\nopen('/etc/shadow')", "RTE"),
    "hostile-asks": ("team-5", "model.query(zeros(model), split='test')", "RTE"),
    "over-quota": ("team-0", "return Solution(zeros(model))", "quota"),
    "over-quota-too": ("team-0", "return Solution(zeros(model))", "quota"),
    "wrong-zip": ("team-5", None, "solver.toml"),
}  # fmt: skip


def fill(home, cli):
    """Hand in everything; return name -> number for what was accepted."""
    assert len(SOLVERS) == 20
    paths = ArenaPaths(home)
    numbers = {}
    round_file = cli.folder / "chaos.toml"
    round_file.write_text(ROUND)
    config = load_round(str(round_file))
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        create_round(sealed, publisher, config)
        write(sealed, ensure_team, "team-0")
        for name, (team, code, expected) in SOLVERS.items():
            if expected == "quota":
                # Two waiting submissions and two more: the quota of four is reserved.
                while quota(sealed, team, "chaos").left:
                    filler = f"good-{quota(sealed, team, 'chaos').used}"
                    numbers[f"again-{filler}"] = submit(sealed, publisher, paths, config, cli.folder / filler, team)
                with pytest.raises(UsageError, match="has used its quota"):
                    submit(sealed, publisher, paths, config, solver(cli, name, code), team)
            elif code is None:
                with zipfile.ZipFile(cli.folder / "wrong.zip", "w") as archive:
                    archive.writestr("readme.txt", "no solver here")
                with pytest.raises(InvalidSubmission, match=expected):
                    submit(sealed, publisher, paths, config, cli.folder / "wrong.zip", team)
            else:
                numbers[name] = submit(sealed, publisher, paths, config, solver(cli, name, code), team)
    return numbers


def solver(cli, name, code):
    return cli.folder / name if (cli.folder / name).exists() else cli.solver(name, code)


def release_holds(sealed):
    """What the organizer does: a run whose worker was killed three times is held, and nothing is wrong with it."""
    for submission in read(sealed, list_submissions):
        for run in submission.runs:
            if run.is_held:
                assert "the worker was lost 3 times" in run.hold_reason
                write(sealed, release_hold, run.run_id)


def run_undisturbed(home):
    """Return the median of the runs' seconds."""
    assert ForkedWorker(home).wait(300) == 0
    artifacts = (ArenaPaths(home).artifacts).glob("*.json")
    return statistics.median(json.loads(path.read_text())["wall_s"] for path in artifacts)


def run_under_fire(home, interval_s, may_kill, generator):
    """Two workers, one of them killed at random intervals, until the queue is empty; return how many were killed."""
    workers = [ForkedWorker(home), ForkedWorker(home)]
    n_killed = 0
    with SealedStore.open(ArenaPaths(home)) as sealed:
        while read(sealed, has_waiting_runs) or any(
            run.is_held for item in read(sealed, list_submissions) for run in item.runs
        ):
            time.sleep(interval_s * generator.uniform(0.5, 1.5))
            release_holds(sealed)
            if may_kill(n_killed):
                victim = generator.randrange(2)
                workers[victim].kill()
                n_killed += 1
            workers = [worker if worker.poll() is None else ForkedWorker(home) for worker in workers]
    for worker in workers:
        assert worker.wait(120) == 0
    return n_killed


def outcomes(home, numbers):
    """What must be the same with and without killing."""
    with SealedStore.open(ArenaPaths(home)) as sealed:
        found = {}
        for name, number in numbers.items():
            submission = read(sealed, get_submission, number)
            found[name] = (
                submission.status,
                submission.verdict,
                [
                    (
                        run.verdict,
                        run.summary.is_checkpoint,
                        run.score_public,
                        run.score_private,
                        run.calls,
                        run.message,
                    )
                    for run in submission.runs
                ],
            )
        # In all, not today: a day may end between two rounds.
        used = {team: quota(sealed, team, "chaos").used for team, _, _ in SOLVERS.values()}
    with PublicStore.open(ArenaPaths(home).public_db) as public:
        board = [
            (entry.solver, entry.team, entry.rank, entry.tier, entry.is_pareto, entry.score, entry.calls)
            for entry in public.board("chaos").entries
        ]
    return found, used, board


def chaos(cli, *, seconds, n_kills):
    """Rounds under fire until so many seconds have passed and so many workers were killed."""
    generator = random.Random(n_kills)
    calm = cli.folder / "calm"
    numbers = fill(calm, cli)
    median_s = run_undisturbed(calm)
    expected = outcomes(calm, numbers)
    for name, (_, _, verdict) in SOLVERS.items():
        if name in numbers:
            assert expected[0][name][1] == Verdict(verdict), (name, expected[0][name])
    interval_s = max(1.0, 3 * median_s)
    until = time.monotonic() + seconds
    n_rounds = n_killed = 0
    while time.monotonic() < until or n_killed < n_kills:
        home = cli.folder / f"fire-{n_rounds}"
        assert fill(home, cli) == numbers
        n_killed += run_under_fire(
            home,
            interval_s,
            lambda here, before=n_killed: time.monotonic() < until or before + here < n_kills,
            generator,
        )
        assert outcomes(home, numbers) == expected
        check_books(home)
        with SealedStore.open(ArenaPaths(home)) as sealed:
            export_round(sealed, ArenaPaths(home), "chaos", cli.folder / f"fire-{n_rounds}.zip")
        assert verify_export(cli.folder / f"fire-{n_rounds}.zip").problems == ()
        n_rounds += 1
    print(
        f"chaos: {n_rounds} rounds of {len(numbers)} submissions, {n_killed} workers killed, interval {interval_s:.1f} s"
    )


def test_a_few_killed_workers_change_no_outcome(cli):
    chaos(cli, seconds=0, n_kills=4)


@pytest.mark.slow
def test_ten_minutes_of_killed_workers_change_no_outcome(cli):
    chaos(cli, seconds=600, n_kills=20)
