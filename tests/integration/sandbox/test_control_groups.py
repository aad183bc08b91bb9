"""Control groups of the real kernel, where nobody else manages those of this process."""

import contextlib
import os
from pathlib import Path

import pytest

from harness.sandbox.control_group import CGROUPS_VARIABLE

SOLVER = """
import threading, time
class S:
    def solve(self, task, model):
{body}
        return Solution(GOOD)
"""
THREADS = """
        n = 0
        try:
            for _ in range(60):
                threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
                n += 1
        except RuntimeError: pass
        print(n)
"""
MEMORY = """
        held = [bytearray(1 << 20) for _ in range(400)]
        time.sleep(2)
"""


@pytest.fixture
def delegate(monkeypatch):
    """Make a folder for a controller at the root of its hierarchy, if this process lies there itself."""
    made = []

    def make(controller):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, names, own = line.split(":", 2)
            if controller in names.split(","):
                if own != "/":
                    pytest.skip(
                        f"NO CONTROL GROUP ({controller}): this process's own belongs to a manager: {own}"
                    )
                folder = Path(f"/sys/fs/cgroup/{names}/gradfree-tests-{os.getpid()}")
                try:
                    folder.mkdir()
                except OSError as error:
                    pytest.skip(f"NO CONTROL GROUP ({controller}): {error}")
                made.append(folder)
                monkeypatch.setenv(CGROUPS_VARIABLE, str(folder))
                return folder
        pytest.skip(f"NO CONTROL GROUP ({controller}): no hierarchy of version 1 has it")

    yield make
    for folder in made:
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()


@pytest.fixture
def sandbox(sandbox):
    if sandbox.mode == "user" and os.geteuid() == 0:
        pytest.skip("the server process of user mode was started without a control group")
    return sandbox


def test_pids_group_bounds_threads_by_itself(sandbox, delegate, monkeypatch):
    folder = delegate("pids")
    monkeypatch.setattr("harness.sandbox.process.N_TASKS", 10)  # below RLIMIT_NPROC, which would answer first
    result = sandbox.solve(SOLVER.format(body=THREADS))
    assert 0 < int(result["log"]) < 10, result
    assert [path for path in folder.iterdir() if path.is_dir()] == [], "the solver's group is gone"


def test_memory_group_ends_in_memory_limit(sandbox, delegate, monkeypatch):
    folder = delegate("memory")
    monkeypatch.setattr("harness.sandbox.process._KERNEL_BYTES", -(900 << 20))
    result = sandbox.solve(SOLVER.format(body=MEMORY), policy={"memory_bytes": 1 << 30})
    assert result["verdict"] == "MLE", result
    assert [path for path in folder.iterdir() if path.is_dir()] == []


def test_folder_that_cannot_be_used_stops_every_start(sandbox, monkeypatch, tmp_path):
    monkeypatch.setenv(CGROUPS_VARIABLE, str(tmp_path))
    result = sandbox.solve(SOLVER.format(body=""))
    assert result["error"] == "SandboxUnavailable"
    assert "neither the memory nor the pids controller" in result["text"]
