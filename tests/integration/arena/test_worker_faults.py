"""Faults of ours: a store out of order, two rounds in one worker, what a participant may send to cause them."""

import threading
import time

import numpy as np
import pytest
from in_store import read
from sqlalchemy.exc import OperationalError
from store_steps import cancel, quota

from harness.cli.options import stores
from harness.config import load_round
from harness.executors.threads import ThreadsExecutor
from harness.records import Verdict
from harness.rounds.intake import submit
from harness.rounds.lifecycle import create_round
from harness.sandbox import require_mode
from harness.session.loaded_round import LoadedRound
from harness.store.sealed.events import read_events
from harness.store.sealed.submissions import get_submission
from harness.worker import watch
from harness.worker import worker as worker_module
from harness.worker.worker import Worker


@pytest.fixture
def arena_with(tmp_path, mini_round, loaded_rounds):
    """Open an arena with one submission queued, and a worker for it."""

    def opened(path, *, lease_s=30.0):
        context = stores(tmp_path / "arena", must_exist=False)
        paths, sealed, publisher = context.__enter__()
        config = load_round(str(mini_round))
        create_round(sealed, publisher, config)
        number = submit(sealed, publisher, paths, config, path, "us")
        events = []
        executor = ThreadsExecutor(paths.attempts, loaded_rounds)
        worker = Worker(sealed, publisher, paths, require_mode(), events.append, executor, lease_s=lease_s)
        contexts.append(context)
        return worker, sealed, number, events

    contexts = []
    yield opened
    for context in contexts:
        context.__exit__(None, None, None)


def test_a_worker_keeps_the_models_of_few_rounds(cli, mini_round, arena_with, loaded_rounds):
    worker, sealed, number, _ = arena_with(cli.solver("good", "return Solution(zeros(model))"))
    numbers = [number]
    for version in ("1.1", "1.2", "1.3"):
        mini_round.write_text(mini_round.read_text().replace('version = "1', f'version = "{version}" # "1', 1))
        config = load_round(str(mini_round))
        create_round(sealed, worker.publisher, config)
        numbers.append(submit(sealed, worker.publisher, worker.paths, config, cli.folder / "good", "us"))
    assert worker.run_until_idle() == 4
    assert all(read(sealed, get_submission, number).verdict is Verdict.OK for number in numbers)
    assert len(loaded_rounds.loaded) == 2


def locked(*_arguments, **_options):
    raise OperationalError("UPDATE", {}, Exception("database is locked"))


def test_a_failed_publication_loses_no_result_and_the_next_one_mends_it(cli, arena_with, monkeypatch):
    worker, sealed, number, _ = arena_with(cli.solver("good", "return Solution(zeros(model))"))
    publish = worker.publisher.publish
    monkeypatch.setattr(worker.publisher, "publish", locked)
    assert worker.run_until_idle() == 1
    monkeypatch.setattr(worker.publisher, "publish", publish)
    assert read(sealed, get_submission, number).verdict is Verdict.OK
    worker.publisher.publish()
    assert cli.json("status", number)["verdict"] == "OK"


def test_a_failed_heartbeat_does_not_lose_the_lease(cli, arena_with, monkeypatch):
    solver = cli.solver("slow", "time.sleep(5)\nreturn Solution(zeros(model))")
    worker, sealed, number, events = arena_with(solver, lease_s=3.0)
    heartbeat, beats = worker_module.heartbeat, []

    def first_fails(tx, run, lease_s):
        beats.append(run)
        return locked() if len(beats) == 1 else heartbeat(tx, run, lease_s)

    monkeypatch.setattr(worker_module, "heartbeat", first_fails)
    assert worker.run_until_idle() == 1
    assert len(beats) >= 2
    (run,) = read(sealed, get_submission, number).runs
    assert (run.verdict, run.n_attempts) == (Verdict.OK, 1)
    assert not any(event.fault for event in events)


def test_two_faults_of_ours_hold_the_run_and_release_queues_it_again(cli, arena_with, monkeypatch):
    worker, sealed, number, events = arena_with(cli.solver("good", "return Solution(zeros(model))"))
    execute = worker._execute

    def broken(*_arguments):
        raise MemoryError("the model does not fit")

    monkeypatch.setattr(worker, "_execute", broken)
    assert worker.run_until_idle() == 0
    assert [event.fault for event in events] == ["MemoryError: the model does not fit"] * 2
    (run,) = read(sealed, get_submission, number).runs
    assert (run.is_held, run.calls, run.verdict) == (True, 0, None)
    monkeypatch.setattr(worker, "_execute", execute)
    assert "1 run released" in cli.run("round", "release", "mini").stdout
    assert worker.run_until_idle() == 1
    assert read(sealed, get_submission, number).verdict is Verdict.OK


def test_two_rounds_in_one_process_do_not_change_each_others_bits(mini_round):
    config = load_round(str(mini_round))

    def answer(arena):
        task = arena.task("sst2")
        info = arena.engine.info
        values = np.full((3, info.n_layers, info.n_prompt_tokens, info.hidden_size), 0.01, np.float32)
        return arena.engine.evaluate(arena.encode(task.wording, task.data.kshot[8][0]), values).logits

    one = LoadedRound(config.model_copy(update={"numeric": config.numeric.model_copy(update={"threads": 1})}))
    two = LoadedRound(config.model_copy(update={"numeric": config.numeric.model_copy(update={"threads": 2})}))
    alone = answer(one)
    answer(two)
    np.testing.assert_array_equal(answer(one), alone)


def test_millions_of_row_numbers_are_refused_before_they_cost_anything(cli, mini_round):
    code = """
try:
    model.query(zeros(model), rows=np.zeros(5_000_000, np.int64))
except InvalidQuery as error:
    print(error)
return Solution(zeros(model))
"""
    (run,) = cli.json("try", cli.solver("flood", code), "--round", mini_round)
    assert run["verdict"] == "OK"
    assert "rows has shape (5000000,)" in run["log"]
    assert run["calls"] == 0


def test_an_error_text_cannot_act_on_a_terminal_and_has_an_end(cli, mini_round):
    (run,) = cli.json(
        "try", cli.solver("loud", "raise ValueError('\\x1bc\\x00' + 'x' * 100_000)"), "--round", mini_round, expect=1
    )
    assert run["verdict"] == "RTE"
    assert "\x1b" not in run["message"]
    assert "\x00" not in run["message"]
    assert len(run["message"]) < 10_000


def test_a_cancelled_run_is_stopped_and_the_worker_takes_the_next(cli, arena_with, mini_round):
    sleeper = cli.solver("sleeper", "model.query(zeros(model))\ntime.sleep(7)\nreturn Solution(zeros(model))")
    worker, sealed, number, events = arena_with(sleeper, lease_s=3.0)
    following = submit(
        sealed,
        worker.publisher,
        worker.paths,
        load_round(str(mini_round)),
        cli.solver("good", "return Solution(zeros(model))"),
        "us",
    )

    def cancel_when_it_sleeps(event):
        events.append(event)
        if event.progress is not None:
            cancel(sealed, number)

    worker.observer = cancel_when_it_sleeps
    assert worker.run_until_idle() == 1
    cancelled, good = read(sealed, get_submission, number), read(sealed, get_submission, following)
    assert (cancelled.verdict, good.verdict) == (Verdict.ABORTED, Verdict.OK)
    (cancelled_at,) = (event.at for event in read(sealed, read_events, number) if event.kind == "submission cancelled")
    (next_at,) = (event.at for event in read(sealed, read_events, following) if event.kind == "run claimed")
    assert (next_at - cancelled_at).total_seconds() < 6, "it would have slept for 7 seconds more"
    assert [path.name for path in worker.paths.artifacts.iterdir()] == [good.runs[0].summary.artifact_path]
    assert not any(event.fault for event in events)
    # A call of it was metered, so it counts.
    assert quota(sealed, "us", "mini").used == 2
    assert [event.kind for event in read(sealed, read_events, number)].count("quota charged") == 1


def test_a_spool_that_cannot_be_read_stops_no_run_and_is_told_once(cli, arena_with):
    worker, sealed, number, events = arena_with(cli.solver("good", "return Solution(zeros(model))"))
    # As where the web page runs as another user and made it; root may read that too, but no file as a folder.
    worker.paths.spool.mkdir()
    (worker.paths.spool / ".lock").mkdir()
    assert worker.run_until_idle() == 1
    assert read(sealed, get_submission, number).verdict is Verdict.OK
    (told,) = [event.fault for event in events if event.run is None]
    assert told.startswith("submission uploads are not taken in: [Errno 21]")


def test_a_store_that_gives_no_run_is_told_once_and_tried_again(cli, arena_with, monkeypatch):
    worker, sealed, number, events = arena_with(cli.solver("good", "return Solution(zeros(model))"))
    claim_run, tries = worker_module.claim_run, []

    def third_works(*arguments, **options):
        tries.append(arguments)
        return locked() if len(tries) < 3 else claim_run(*arguments, **options)

    monkeypatch.setattr(worker_module, "claim_run", third_works)
    assert worker.run_until_idle() == 1
    assert read(sealed, get_submission, number).verdict is Verdict.OK
    (told,) = [event.fault for event in events if event.run is None]
    assert told.startswith("no run is started: ")
    assert "database is locked" in told


def test_a_slow_store_is_not_the_solvers_time(cli, mini_round, arena_with, monkeypatch):
    mini_round.write_text(mini_round.read_text().replace("solver_s = 8.0", "solver_s = 4.0"))
    code = "for _ in range(5):\n    model.query(zeros(model))\nreturn Solution(zeros(model))"
    worker, sealed, number, events = arena_with(cli.solver("quick", code))

    def slow(act):
        def acting(*arguments):
            time.sleep(2.5)
            act(*arguments)

        return acting

    monkeypatch.setattr(watch, "note_metered", slow(watch.note_metered))
    monkeypatch.setattr(worker.publisher, "report", slow(worker.publisher.report))
    assert worker.run_until_idle() == 1
    (run,) = read(sealed, get_submission, number).runs
    # Together they take longer than the 4 seconds that the round gives a solver.
    assert (run.verdict, run.calls) == (Verdict.OK, 5)
    assert not any(event.fault for event in events)


def test_a_run_cancelled_in_predict_is_stopped_there(cli, mini_round, arena_with, monkeypatch):
    mini_round.write_text(mini_round.read_text().replace("predict_s = 10.0", "predict_s = 90.0"))
    code = "return Solution(zeros(model), state={'none': np.zeros(1)})"
    predict = "time.sleep(60)\nreturn response.logits.mean(0).argmax(-1)"
    worker, sealed, number, events = arena_with(cli.solver("sleeper", code, predict=predict), lease_s=1.5)
    start_scoring = worker_module.start_scoring

    def cancel_when_it_predicts(tx, attempt):
        start_scoring(tx, attempt)
        threading.Timer(1.0, cancel, [sealed, number]).start()

    monkeypatch.setattr(worker_module, "start_scoring", cancel_when_it_predicts)
    started = time.monotonic()
    assert worker.run_until_idle() == 0
    assert time.monotonic() - started < 50, "it would have slept for a minute"
    assert read(sealed, get_submission, number).verdict is Verdict.ABORTED
    assert not any(event.fault for event in events)
    # Its test rows were read, so it counts.
    assert quota(sealed, "us", "mini").used == 1


def test_a_retry_keeps_every_seed(cli, arena_with, monkeypatch):
    code = "return Solution(zeros(model), state={'none': np.zeros(1)})"
    predict = "return response.logits.mean(0).argmax(-1)"
    worker, sealed, number, _ = arena_with(cli.solver("rowwise", code, predict=predict))
    artifacts = []
    keep = worker._keep

    def fails_once(run, attempt, artifact):
        artifacts.append(artifact)
        if len(artifacts) == 1:
            raise RuntimeError("ours")
        keep(run, attempt, artifact)

    monkeypatch.setattr(worker, "_keep", fails_once)
    assert worker.run_until_idle() == 1
    first, second = artifacts
    assert (first.solver_seed, first.predict_seed) == (second.solver_seed, second.predict_seed)
    assert first.predictions == second.predictions
    assert read(sealed, get_submission, number).runs[0].n_attempts == 2


def test_an_idle_worker_brings_the_board_up_to_date(arena_with, cli, mini_round):
    worker, sealed, number, _ = arena_with(cli.solver("good", "return Solution(zeros(model))"))
    cancel(sealed, number)
    assert cli.json("status", number)["status"] == "queued"
    assert worker.run_until_idle() == 0
    assert cli.json("status", number)["status"] == "cancelled"
