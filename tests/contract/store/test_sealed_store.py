"""What every sealed store must do. SQLite always; PostgreSQL if GRADFREE_TEST_POSTGRES names a database."""

import os
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from in_store import read, write
from pydantic import ValidationError
from small_round import small_round
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from store_steps import cancel, enter, finish, to_phase

from harness.errors import InfrastructureError, UsageError
from harness.records import Phase, RunSummary, Status, Usage, Verdict
from harness.store.paths import ArenaPaths
from harness.store.sealed.attempts import finish_run, note_metered, start_attempt, start_scoring, void_attempt
from harness.store.sealed.claims import claim_run, has_waiting_runs
from harness.store.sealed.events import read_events
from harness.store.sealed.queue import heartbeat, release_hold, release_run, sweep, sweep_expired
from harness.store.sealed.rounds import add_round, find_round, list_rounds
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import get_submission
from harness.store.sealed.teams import ensure_team
from harness.store.sealed.uploads import add_upload
from harness.store.values import LeaseLost

URLS = ["sqlite", *([os.environ["GRADFREE_TEST_POSTGRES"]] if "GRADFREE_TEST_POSTGRES" in os.environ else [])]
START = datetime(2026, 11, 1, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=URLS, ids=lambda url: url.split(":")[0])
def opener(request, tmp_path, clock):
    url = None if request.param == "sqlite" else request.param
    return lambda: SealedStore.open(ArenaPaths(tmp_path / "arena"), url=url, clock=clock)


@pytest.fixture
def store(opener):
    with opener() as store:
        write(store, add_round, two_tasks())
        write(store, ensure_team, "Lynx")
        write(store, ensure_team, "baselines", is_baseline_owner=True)
        yield store


def two_tasks(version="1.0", seeds=(8, 13), **more):
    tasks = (("sst2", "accuracy", 3000, seeds), ("snli", "f1_macro", 8000, seeds))
    return small_round(*tasks, version=version, **more)


def submit(store, team="Lynx", name="cma", **more):
    return enter(store, team, name, **more)


def result(public=70.0, private=60.0, verdict=Verdict.OK, calls=100, **more):
    return RunSummary(verdict, public, private, Usage(calls=calls), START, START, **more)


def finish_one(store, predictions=None, **more):
    claim = write(store, claim_run, "w", 60)
    finish(store, claim, result(**more), predictions)
    return claim


def kinds(store, submission_id=None):
    return [event.kind for event in read(store, read_events, submission_id)]


def test_round_added_twice_is_stored_once(store):
    first = read(store, find_round, "toy")
    write(store, add_round, two_tasks())
    assert read(store, find_round, "toy").id == first.id
    (only,) = read(store, list_rounds)
    assert (only.config, only.digest) == (two_tasks(), two_tasks().digest())


def test_round_with_another_digest_is_refused(store):
    with pytest.raises(UsageError, match="raise its version"):
        write(store, add_round, two_tasks(title="Other rules"))


def test_round_without_version_is_the_newest(store):
    write(store, add_round, two_tasks(version="1.1"))
    assert read(store, find_round, "toy").config.version == "1.1"
    assert read(store, find_round, "toy", "1.0").config.version == "1.0"


def test_unknown_round_names_those_that_exist(store):
    with pytest.raises(UsageError, match=r"no round nope; rounds: toy 1\.0"):
        read(store, find_round, "nope")


@pytest.mark.parametrize("seeds", [(), (8, 8)])
def test_round_with_bad_seeds_is_refused(store, seeds):
    with pytest.raises(ValidationError, match="kshot_seeds"):
        write(store, add_round, two_tasks(version="2.0", seeds=seeds))
    assert len(read(store, list_rounds)) == 1


def test_team_of_the_other_kind_is_refused(store):
    with pytest.raises(UsageError, match="competing team"):
        write(store, ensure_team, "Lynx", is_baseline_owner=True)
    with pytest.raises(UsageError, match="cannot submit"):
        submit(store, is_baseline=True)


def test_submission_queues_one_run_per_task_and_seed(store):
    submission = read(store, get_submission, submit(store))
    assert [(run.task, run.kshot_seed) for run in submission.runs] == [
        ("sst2", 8),
        ("sst2", 13),
        ("snli", 8),
        ("snli", 13),
    ]
    assert {run.status for run in submission.runs} == {Status.QUEUED}
    assert len({run.solver_seed for run in submission.runs}) == 4


def test_submission_handed_in_again_gets_the_same_seeds(store):
    first, second = (read(store, get_submission, submit(store)) for _ in range(2))
    assert first.submission_id != second.submission_id
    assert [run.solver_seed for run in first.runs] == [run.solver_seed for run in second.runs]


def test_claim_takes_participants_before_baselines_in_order(store):
    submit(store, "baselines", "bbt", is_baseline=True)
    submit(store)
    names = []
    while claim := write(store, claim_run, "w", 60):
        names.append((claim.submission_name, claim.task, claim.kshot_seed))
    assert [name for name, _, _ in names] == ["cma"] * 4 + ["bbt"] * 4
    assert names[:2] == [("cma", "sst2", 8), ("cma", "snli", 8)]


def test_claim_of_a_round_leaves_other_rounds_alone(store):
    write(store, add_round, small_round(("qqp", "accuracy", 10, (1,)), name="other"))
    submit(store)
    other, toy = (read(store, find_round, name).id for name in ("other", "toy"))
    assert write(store, claim_run, "w", 60, other) is None
    assert write(store, claim_run, "w", 60, toy).round_name == "toy"


def test_claim_of_bundled_code_leaves_submissions_of_others_alone(store):
    submit(store)
    assert write(store, claim_run, "w", 60, only_bundled=True) is None
    assert not read(store, has_waiting_runs, only_bundled=True)
    submit(store, "baselines", "bbt", is_baseline=True)
    submit(store, name="packaged", is_example=True)
    toy = read(store, find_round, "toy").id
    assert read(store, has_waiting_runs, toy, only_bundled=True)
    names = []
    while claim := write(store, claim_run, "w", 60, toy, only_bundled=True):
        names.append(claim.submission_name)
    assert names == ["packaged"] * 4 + ["bbt"] * 4
    assert write(store, claim_run, "w", 60).submission_name == "cma"


def test_claim_from_two_connections_never_gives_a_run_twice(opener):
    with opener() as store:
        write(store, add_round, two_tasks(seeds=tuple(range(1, 16))))
        write(store, ensure_team, "Lynx")
        submit(store)
    taken = {"a": [], "b": []}
    gate = threading.Barrier(2)

    def work(name):
        with opener() as own:
            gate.wait()
            while claim := write(own, claim_run, name, 600):
                taken[name].append(claim.run_id)

    threads = [threading.Thread(target=work, args=(name,)) for name in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken["a"] + taken["b"]) == list(range(1, 31))


def test_lease_renewed_is_not_claimed_again(store, clock):
    submit(store)
    claim = write(store, claim_run, "a", 60)
    clock.advance(50)
    assert write(store, heartbeat, claim, 60)
    clock.advance(50)
    assert write(store, claim_run, "b", 60).run_id != claim.run_id


def test_lease_that_ran_out_goes_to_another_worker_and_shuts_out_the_first(store, clock):
    submit(store)
    late = write(store, claim_run, "a", 60)
    attempt = write(store, start_attempt, late)
    clock.advance(61)
    again = write(store, claim_run, "b", 60)
    assert again.run_id == late.run_id
    assert (again.claim_number, again.solver_seed, again.n_attempts) == (2, late.solver_seed, 1)
    assert not write(store, heartbeat, late, 60)
    with pytest.raises(LeaseLost):
        write(store, finish_run, late, attempt, result())
    with pytest.raises(LeaseLost):
        write(store, start_attempt, late)
    assert read(store, get_submission, late.submission_id).runs[0].calls == 0


def test_a_result_that_comes_after_the_lease_is_taken_while_nobody_has_claimed_the_run(store, clock):
    number = submit(store)
    claim = write(store, claim_run, "a", 60)
    for _ in range(3):
        late, attempt = claim, write(store, start_attempt, claim)
        write(store, note_metered, attempt)
        clock.advance(61)
        assert write(store, sweep_expired) == 1
        claim = write(store, claim_run, "a", 60)
    write(store, release_run, claim)
    assert claim.run_id != late.run_id, "three lost leases hold it"
    for _ in range(2):
        write(store, finish_run, late, attempt, result(artifact_sha256="e" * 64))
    (run,) = [run for run in read(store, get_submission, number).runs if run.run_id == late.run_id]
    assert (run.status, run.score_public, run.is_held, run.n_attempts) == (Status.FINISHED, 70.0, False, 3)
    assert (kinds(store, number).count("run ended"), kinds(store, number).count("quota charged")) == (1, 1)
    assert write(store, sweep) == 0


def test_a_result_that_comes_after_the_lease_ends_no_cancelled_or_void_attempt(store, clock):
    first, second = submit(store), submit(store)
    late = write(store, claim_run, "a", 60)
    attempt = write(store, start_attempt, late)
    clock.advance(61)
    write(store, sweep_expired)
    cancel(store, first)
    with pytest.raises(LeaseLost):
        write(store, finish_run, late, attempt, result())
    void = write(store, claim_run, "a", 60)
    attempt = write(store, start_attempt, void)
    write(store, void_attempt, attempt, "device lost")
    with pytest.raises(LeaseLost):
        write(store, finish_run, void, attempt, result())
    assert [run.score_public for run in read(store, get_submission, second).runs] == [None] * 4


def test_a_claim_takes_back_neither_what_its_own_process_is_at_nor_anything_if_told_so(store, clock):
    submit(store)
    own, other = write(store, claim_run, "a", 60), write(store, claim_run, "b", 60)
    clock.advance(61)
    third = write(store, claim_run, "a", 60, is_sweeping=False)
    assert third.run_id not in {own.run_id, other.run_id}
    assert write(store, claim_run, "a", 60, at_work=[own, third]).run_id == other.run_id
    assert write(store, heartbeat, own, 60)
    assert not write(store, heartbeat, other, 60)


def test_a_run_whose_worker_dies_while_it_is_scored_starts_again(store, clock):
    submit(store)
    late = write(store, claim_run, "a", 60)
    write(store, start_scoring, write(store, start_attempt, late))
    assert write(store, heartbeat, late, 60)
    clock.advance(61)
    assert write(store, claim_run, "b", 60).run_id == late.run_id


def test_third_lost_lease_holds_the_run(store, clock):
    submit(store)
    claim = write(store, claim_run, "a", 60)
    for _ in range(2):
        clock.advance(61)
        assert write(store, claim_run, "a", 60).run_id == claim.run_id
    clock.advance(61)
    assert write(store, claim_run, "a", 60).run_id != claim.run_id
    (held,) = [run for run in read(store, get_submission, claim.submission_id).runs if run.is_held]
    assert held.run_id == claim.run_id


def test_a_run_at_work_without_a_lease_is_swept(store):
    submit(store)
    claim = write(store, claim_run, "a", 60)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE runs SET lease_expires_at = NULL")
    assert write(store, sweep) == 1
    assert not write(store, heartbeat, claim, 60)
    assert write(store, claim_run, "b", 60).run_id == claim.run_id


def test_void_attempt_leaves_no_charges_and_the_second_in_a_row_holds(store):
    submission = submit(store)
    claim = write(store, claim_run, "w", 60)
    assert write(store, void_attempt, write(store, start_attempt, claim), "device lost") is False
    again = write(store, claim_run, "w", 60)
    assert (again.run_id, again.solver_seed) == (claim.run_id, claim.solver_seed)
    attempt = write(store, start_attempt, again)
    assert write(store, void_attempt, attempt, "device lost") is True
    with pytest.raises(LeaseLost):
        write(store, void_attempt, attempt, "again")
    run = next(run for run in read(store, get_submission, submission).runs if run.run_id == claim.run_id)
    assert (run.is_held, run.status, run.verdict, run.calls) == (True, Status.QUEUED, None, 0)
    while claim := write(store, claim_run, "w", 60):
        finish(store, claim, result())
    assert read(store, get_submission, submission).status is Status.RUNNING
    write(store, release_hold, run.run_id)
    finish_one(store)
    assert read(store, get_submission, submission).status is Status.FINISHED


def test_release_gives_the_run_back_without_counting(store):
    submit(store)
    for _ in range(5):
        claim = write(store, claim_run, "w", 60)
        write(store, start_attempt, claim)
        write(store, release_run, claim)
    run = read(store, get_submission, claim.submission_id).runs[0]
    assert (run.is_held, run.n_attempts) == (False, 5)


def test_two_open_attempts_are_refused(store):
    submit(store)
    claim = write(store, claim_run, "w", 60)
    write(store, start_attempt, claim)
    with pytest.raises(InfrastructureError, match="open attempt"):
        write(store, start_attempt, claim)


def test_finish_repeated_after_a_crash_changes_nothing(store):
    submit(store)
    claim = write(store, claim_run, "w", 60)
    attempt = write(store, start_attempt, claim)
    outcome = result(artifact_sha256="e" * 64)
    predictions = np.array([1, 0, 1])
    write(store, finish_run, claim, attempt, outcome, predictions)
    before = (read(store, get_submission, claim.submission_id), kinds(store))
    write(store, finish_run, claim, attempt, outcome, predictions)
    assert (read(store, get_submission, claim.submission_id), kinds(store)) == before


def test_finish_with_an_attempt_of_another_run_is_refused(store):
    submit(store)
    first, second = write(store, claim_run, "w", 60), write(store, claim_run, "w", 60)
    with pytest.raises(InfrastructureError, match="not one of run"):
        write(store, finish_run, second, write(store, start_attempt, first), result())


def test_finish_without_the_private_score_is_refused(store):
    submit(store)
    claim = write(store, claim_run, "w", 60)
    with pytest.raises(InfrastructureError, match="expected a private score"):
        finish(store, claim, result(private=None))
    assert read(store, get_submission, claim.submission_id).runs[0].score_public is None


def test_predictions_are_kept_as_they_were(store):
    submit(store)
    claim = finish_one(store, predictions=np.array([2, 0, 1], dtype=np.int32))
    with store.read() as tx:
        stored = tx.session.execute(
            text("SELECT classes FROM predictions WHERE run_id = :run"), {"run": claim.run_id}
        ).scalar()
    assert np.frombuffer(stored, "<i8").tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("outcomes", "status", "verdict"),
    [
        ([{}] * 4, Status.FINISHED, Verdict.OK),
        ([{}, {"verdict": Verdict.TIME_LIMIT, "is_checkpoint": True}, {}, {}], Status.FINISHED, Verdict.TIME_LIMIT),
        (
            [
                {"verdict": Verdict.RUNTIME_ERROR, "public": None, "private": None},
                {"verdict": Verdict.SANDBOX_VIOLATION, "public": None, "private": None},
                {"verdict": Verdict.TIME_LIMIT, "is_checkpoint": True},
                {},
            ],
            Status.FAILED,
            Verdict.SANDBOX_VIOLATION,
        ),
    ],
)
def test_parent_takes_the_worst_verdict_when_all_runs_have_ended(store, outcomes, status, verdict):
    submission = submit(store)
    for outcome in outcomes:
        assert read(store, get_submission, submission).verdict is None
        finish_one(store, **outcome)
    ended = read(store, get_submission, submission)
    assert (ended.status, ended.verdict) == (status, verdict)


def test_run_without_isolation_stays_marked(store):
    submission = submit(store)
    finish_one(store, is_official=False)
    finish_one(store)
    runs = read(store, get_submission, submission).runs
    assert [run.summary.is_official for run in runs if run.summary is not None] == [False, True]
    ended = [event for event in read(store, read_events, submission) if event.kind == "run ended"]
    assert [event.detail["is_official"] for event in ended] == [False, True]


def upload(store, name="Ada", digest="e" * 64, score=75.0, tasks=None):
    with store.write() as tx:
        return add_upload(
            tx,
            find_round(tx, "toy"),
            name=name,
            digest=digest,
            score=score,
            task_scores=tasks or {"sst2": 80.0, "snli": 70.0},
        )


def uploads(store):
    with store.read() as tx:
        return tx.session.execute(text("SELECT name, score, revision FROM uploads ORDER BY id")).all()


def test_upload_of_the_same_archive_replaces_its_row_and_leaves_events(store):
    first = upload(store)
    assert upload(store, name="Ada Lovelace", score=74.0) == first
    other = upload(store, digest="f" * 64)
    assert other != first
    assert uploads(store) == [("Ada Lovelace", 74.0, 2), ("Ada", 75.0, 1)]
    assert kinds(store)[-3:] == ["upload added", "upload replaced", "upload added"]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31mred", "a\u202eb", "x" * 101])
def test_upload_with_a_name_that_cannot_be_shown_is_refused(store, name):
    with pytest.raises(UsageError, match="expected 1-100 printable characters"):
        upload(store, name=name)
    assert uploads(store) == []


@pytest.mark.parametrize(
    ("score", "tasks"),
    [
        (100.1, None),
        (float("nan"), None),
        (75.0, {"sst2": 80.0}),
        (75.0, {"sst2": 80.0, "qqp": 70.0}),
        (75.0, {"sst2": -1.0, "snli": 70.0}),
    ],
)
def test_upload_with_impossible_scores_is_refused(store, score, tasks):
    with pytest.raises(InfrastructureError, match="score"):
        upload(store, score=score, tasks=tasks)
    assert uploads(store) == []


def test_cancel_ends_the_runs_and_shuts_out_the_worker(store):
    submission = submit(store)
    finish_one(store)
    claim = write(store, claim_run, "w", 60)
    attempt = write(store, start_attempt, claim)
    cancel(store, submission, "asked for")
    assert not write(store, heartbeat, claim, 60)
    with pytest.raises(LeaseLost):
        write(store, finish_run, claim, attempt, result())
    assert write(store, claim_run, "w", 60) is None
    ended = read(store, get_submission, submission)
    assert (ended.status, ended.verdict) == (Status.CANCELLED, Verdict.ABORTED)
    assert [run.status for run in ended.runs].count(Status.FINISHED) == 1
    with pytest.raises(UsageError, match="can be cancelled"):
        cancel(store, submission)


def test_every_change_leaves_an_event(store):
    submission = submit(store)
    claim = write(store, claim_run, "w", 60)
    write(store, void_attempt, write(store, start_attempt, claim), "device lost")
    finish_one(store)
    cancel(store, submission)
    to_phase(store, Phase.CLOSED)
    assert kinds(store)[:3] == ["round added", "team added", "team added"]
    assert kinds(store, submission) == [
        "submission added",
        "run claimed",
        "attempt started",
        "attempt void",
        "run claimed",
        "attempt started",
        "quota charged",
        "run ended",
        "submission cancelled",
    ]
    assert kinds(store)[-1] == "phase changed"


@pytest.mark.parametrize("change", ["UPDATE events SET kind = 'x'", "DELETE FROM events"])
def test_events_cannot_be_changed(store, change):
    if store.engine.dialect.name != "sqlite":
        pytest.skip("append-only is enforced by triggers on SQLite alone so far")
    with pytest.raises(DatabaseError, match="append-only"), store.engine.begin() as connection:
        connection.exec_driver_sql(change)
    assert kinds(store)[0] == "round added"


@pytest.mark.parametrize(
    "bad",
    [
        {"public": 100.1},
        {"public": float("nan")},
        {"public": None, "private": 50.0, "verdict": Verdict.TIME_LIMIT},
        {"public": None, "private": None},
        {"verdict": Verdict.RUNTIME_ERROR},
        {"verdict": Verdict.INTERNAL_ERROR, "public": None, "private": None},
        {"verdict": Verdict.TIME_LIMIT, "public": None, "private": None, "is_checkpoint": True},
    ],
)
def test_result_that_contradicts_itself_is_refused(store, bad):
    number = submit(store)
    claim = write(store, claim_run, "w", 60)
    with pytest.raises(InfrastructureError, match=f"result of run {claim.run_id}: "):
        finish(store, claim, result(**bad))
    (run,) = [run for run in read(store, get_submission, number).runs if run.run_id == claim.run_id]
    assert (run.status, run.verdict, run.summary) == (Status.RUNNING, None, None)
