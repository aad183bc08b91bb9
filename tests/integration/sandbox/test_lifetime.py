"""Solver processes end with whoever started them, and several run side by side."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

KIT = Path(__file__).parent / "kit.py"
SLEEPER = "import time\nclass S:\n    def solve(self, task, model): time.sleep({seconds})"


def _descendants(pid):
    """Of every thread: a process is the child of the thread that made it."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found += [child, *_descendants(child)]
    return found


NAMED = """
import ctypes, time
class S:
    def solve(self, task, model):
        ctypes.CDLL(None).prctl(15, b"solving", 0, 0, 0)
        time.sleep(60)
"""


def _name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except FileNotFoundError:
        return ""


def _n_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def _wait(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)


def test_solver_dies_with_a_killed_worker():
    mode = "root" if os.geteuid() == 0 else "user"
    code = f"import sys; sys.path.insert(0, {str(KIT.parent)!r}); import kit; kit.solve({mode!r}, sys.argv[1])"
    worker = subprocess.Popen([sys.executable, "-c", code, SLEEPER.format(seconds=60)])
    _wait(lambda: len(_descendants(worker.pid)) == 3)  # bubblewrap, its process 1, the solver
    family = _descendants(worker.pid)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))


@pytest.mark.parametrize("victim", ["monitor", "process 1", "solver"])
def test_bubblewrap_killed_from_outside_leaves_no_process(sandbox, victim):
    """The monitor's death is ours, and voids the attempt; what dies inside cannot be told from the solver's doing."""
    if sandbox.mode == "user" and os.geteuid() == 0:
        pytest.skip("another process holds what user mode starts")
    before = set(_descendants(os.getpid()))
    found = {}
    thread = threading.Thread(target=lambda: found.update(sandbox.solve(NAMED)))
    thread.start()
    _wait(lambda: "solving" in map(_name, _descendants(os.getpid())))
    family = [pid for pid in _descendants(os.getpid()) if pid not in before]
    os.kill(family[["monitor", "process 1", "solver"].index(victim)], signal.SIGKILL)
    thread.join(30)
    assert not thread.is_alive()
    if victim == "monitor":
        assert found["error"] == "InfrastructureError"
        assert "killed by signal 9 from outside" in found["text"]
    else:
        assert found["verdict"] == "RTE"
        assert "signal 9" in found["message"]
    _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))


def test_solvers_in_parallel_threads_do_not_meet(sandbox):
    if sandbox.mode == "user" and os.geteuid() == 0:
        pytest.skip("the server process of user mode serves one case at a time")
    body = "\n        time.sleep(1); print(n); return Solution(GOOD, state={'n': np.array(n)})"
    source = "import time\nclass S:\n    def __init__(self, n): self.n = n\n    def solve(self, task, model):\n        n = self.n"
    found = {}

    def run(n):
        found[n] = sandbox.solve(source + body, params={"n": n})

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: (result["log"], result["state"]["n"][1]) for n, result in found.items()} == {
        n: (f"{n}\n", n) for n in range(4)
    }


ENDINGS = (
    "class S:\n    def solve(self, task, model): return Solution(GOOD)",
    "raise ValueError",
    "import os; os._exit(1)",
    "import os; os.write(3, bytes(99))",
    "import os; os.close(3)",
    "import os, signal; os.abort()",
)


@pytest.mark.parametrize("n_runs", [len(ENDINGS), pytest.param(200, marks=pytest.mark.slow)])
def test_solve_leaves_nothing_behind(sandbox, n_runs):
    if sandbox.mode == "user" and os.geteuid() == 0:
        pytest.skip("another process holds what user mode opens")
    sandbox.solve(ENDINGS[0])
    before = (_n_descriptors(), threading.active_count(), _descendants(os.getpid()))
    for n in range(n_runs):
        sandbox.solve(ENDINGS[n % len(ENDINGS)])
    assert (_n_descriptors(), threading.active_count(), _descendants(os.getpid())) == before


def test_worker_with_torch_loaded_runs_solvers(sandbox):
    import torch

    torch.ones(100, 100) @ torch.ones(100, 100)
    result = sandbox.solve("class S:\n    def solve(self, task, model): return Solution(GOOD)")
    assert result["verdict"] == "OK"
    # The memory of the process that started it is not the solver's.
    assert result["peak_rss_bytes"] < 100 << 20
