"""One worker, several runs at once: every run ends once, with what it has alone."""

import json
import threading

import pytest
from in_store import read

from harness.cli.options import stores
from harness.config import load_round
from harness.errors import InfrastructureError
from harness.executors.admission import Admission
from harness.records import Verdict
from harness.rounds.intake import submit
from harness.rounds.lifecycle import create_round
from harness.sandbox import require_mode
from harness.store.sealed.submissions import list_submissions
from harness.worker.worker import Worker

SEARCH = """
generator = np.random.default_rng(task.solver_seed)
best = zeros(model)
for _ in range(8):
    model.query(best + generator.standard_normal((5, *best.shape[1:])).astype(np.float32))
return Solution(best)
"""


def traces(folder, cli, mini_round, slots):
    """Run three submissions; return their traces by name, and the largest number of runs at work at once."""
    at_once = []
    with stores(folder, must_exist=False) as (paths, sealed, publisher):
        config = load_round(str(mini_round))
        create_round(sealed, publisher, config)
        for name in ("one", "two", "three"):
            path = cli.folder / name
            if not path.is_dir():
                cli.solver(name, SEARCH)
            submit(sealed, publisher, paths, config, path, f"team {name}")
        worker = Worker(sealed, publisher, paths, require_mode(), slots=slots)
        worker.observer = lambda _event: at_once.append(len(worker._at_work))
        assert worker.run_until_idle() == 3
        entries = read(sealed, list_submissions)
        assert [entry.verdict for entry in entries] == [Verdict.OK] * 3
        found = {}
        for path in sorted(paths.artifacts.glob("*.json")):
            artifact = json.loads(path.read_text())
            found[artifact["submission_name"]] = artifact["trace"]
    return found, max(at_once)


def test_runs_at_once_have_the_traces_that_they_have_in_sequence(tmp_path, cli, mini_round):
    alone, most_alone = traces(tmp_path / "sequence", cli, mini_round, 1)
    together, most_together = traces(tmp_path / "at once", cli, mini_round, 3)
    assert together == alone
    assert all(len(trace) == 8 for trace in alone.values())
    assert (most_alone, most_together) == (1, 3)


def test_admission_lets_in_what_fits_and_always_one():
    admission = Admission(10)
    order = []
    inside, leave = threading.Event(), threading.Event()

    def large():
        with admission.hold(25):
            inside.set()
            leave.wait(10)
        order.append("large left")

    def small():
        with admission.hold(4):
            order.append("small entered")

    first = threading.Thread(target=large)
    first.start()
    assert inside.wait(10)
    second = threading.Thread(target=small)
    second.start()
    second.join(0.2)
    assert second.is_alive()
    leave.set()
    first.join(10)
    second.join(10)
    assert sorted(order) == ["large left", "small entered"]
    with admission.hold(4), admission.hold(6):
        pass
    with pytest.raises(RuntimeError, match="inside"), admission.hold(25):
        raise RuntimeError("inside")
    with admission.hold(10):
        pass


def test_a_run_that_nobody_wants_any_more_does_not_wait_for_memory():
    admission, stop = Admission(10), threading.Event()
    with admission.hold(10):
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(InfrastructureError, match="stopped"), admission.hold(4, stop):
            pytest.fail("there is no room")
    with admission.hold(10, stop):
        pass
