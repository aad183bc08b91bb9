"""Only the worker writes the store: an executor gets a job and gives events and an artifact."""

import hashlib
import pickle

import pytest
from far_executor import N_ROWS, FarExecutor, artifact_of, events_of
from in_store import read
from small_round import small_round
from store_steps import cancel

from harness.cli.options import stores
from harness.errors import InfrastructureError
from harness.executors.base import ScoringStarted, TestRowsLoaded
from harness.records import Verdict
from harness.rounds.intake import submit
from harness.rounds.lifecycle import create_round
from harness.sandbox import SandboxMode
from harness.session.artifact import read_artifact
from harness.store.sealed.events import read_events
from harness.store.sealed.replicates import predictions_of
from harness.store.sealed.submissions import get_submission
from harness.worker.worker import Worker


@pytest.fixture
def arena(tmp_path):
    """An arena with one submission of a team: (paths, sealed store, publisher, its number)."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "solver.toml").write_text('name = "mine"\nentry = "solver:Mine"\n')
    (folder / "solver.py").write_text("class Mine:\n    pass\n")
    with stores(tmp_path / "arena", must_exist=False) as (paths, sealed, publisher):
        config = small_round(("sst2", "accuracy", 40, (8,)))
        create_round(sealed, publisher, config)
        yield paths, sealed, publisher, submit(sealed, publisher, paths, config, folder, "us")


def work(arena, executor):
    """Work until nothing is left; return how many runs ended, and the worker's events."""
    paths, sealed, publisher, _ = arena
    told = []
    worker = Worker(sealed, publisher, paths, SandboxMode.USER, told.append, executor)
    return worker.run_until_idle(), told


def kinds(arena):
    return [event.kind for event in read(arena[1], read_events, arena[3])]


def test_result_of_an_executor_elsewhere_is_stored(arena):
    paths, sealed, _, number = arena
    executor = FarExecutor()
    n_ended, told = work(arena, executor)
    assert n_ended == 1
    (run,) = read(sealed, get_submission, number).runs
    (job,) = map(pickle.loads, executor.jobs)
    assert (run.verdict, run.calls, run.n_attempts) == (Verdict.OK, 1, 1)
    assert job.spec.solver_seed == run.solver_seed
    artifact = paths.artifacts / run.summary.artifact_path
    assert hashlib.sha256(artifact.read_bytes()).hexdigest() == run.summary.artifact_sha256
    assert read_artifact(artifact) == artifact_of(job)
    assert run.score_private == artifact_of(job).scores.private
    assert read(sealed, predictions_of, number)[run.run_id].tolist() == [0] * N_ROWS
    assert [event.progress.calls for event in told if event.progress] == [1]
    assert executor.cleaned == [job.name]
    told = kinds(arena)
    assert told[told.index("scoring started") :] == [
        "scoring started",
        "quota charged",
        "test rows read",
        "run ended",
        "submission ended",
    ]


def test_executor_writes_nothing_into_the_arena(arena):
    paths = arena[0]
    before = set(paths.home.rglob("*"))
    seen = []

    class Looks(FarExecutor):
        def run(self, job, on_event, stop):
            artifact = super().run(job, lambda _: None, stop)
            seen.extend(path for path in {*paths.home.rglob("*")} - before if not path.name.endswith("-journal"))
            return artifact

    assert work(arena, Looks())[0] == 1
    assert seen == []


@pytest.mark.parametrize("kind", [TestRowsLoaded, ScoringStarted])
def test_event_that_the_store_refuses_voids_the_attempt(arena, monkeypatch, kind):
    _, sealed, _, number = arena

    def refused(*_):
        raise InfrastructureError("the store refuses it")

    name = "keep_test_set" if kind is TestRowsLoaded else "start_scoring"
    monkeypatch.setattr(f"harness.worker.worker.{name}", refused)
    n_ended, told = work(arena, executor := FarExecutor())
    assert n_ended == 0
    assert [event.fault for event in told if event.fault] == ["the store refuses it"] * 2
    (run,) = read(sealed, get_submission, number).runs
    assert (run.is_held, run.verdict, run.calls, run.summary) == (True, None, 0, None)
    assert "quota charged" not in kinds(arena)
    assert list(arena[0].artifacts.iterdir()) == []
    assert kinds(arena).count("attempt void") == 2
    assert executor.cleaned == []


def test_exception_in_on_event_reaches_the_executor_before_it_goes_on(arena, monkeypatch):
    reached = []

    class Counts(FarExecutor):
        def run(self, job, on_event, stop):
            for event in events_of(job):
                reached.append(type(event))
                on_event(event)
            return artifact_of(job)

    def broken(*_):
        raise ValueError("a bug of the worker")

    monkeypatch.setattr("harness.worker.worker.keep_test_set", broken)
    n_ended, told = work(arena, Counts())
    assert n_ended == 0
    assert reached == [TestRowsLoaded] * 2, "no attempt went on"
    assert [event.fault for event in told if event.fault] == ["ValueError: a bug of the worker"] * 2


def test_result_of_a_cancelled_run_is_dropped(arena):
    _, sealed, _, number = arena

    class Late(FarExecutor):
        def run(self, job, on_event, stop):
            artifact = super().run(job, on_event, stop)
            cancel(sealed, number)
            return artifact

    n_ended, told = work(arena, Late())
    assert n_ended == 0
    stored = read(sealed, get_submission, number)
    assert (stored.verdict, stored.runs[0].summary) == (Verdict.ABORTED, None)
    assert not [event for event in told if event.artifact or event.fault]
