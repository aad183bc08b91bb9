"""Control groups of the real kernel, in each mode: what they bound by themselves, and what they leave."""

import os

import pytest
from delegated_groups import delegated_group

from harness.sandbox.host.control_group import CGROUPS_VARIABLE
from harness.sandbox.probe import probe_control_groups

THREADS = """
import threading, time
class S:
    def solve(self, task, model):
        n = 0
        try:
            for _ in range(60):
                threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
                n += 1
        except RuntimeError: pass
        print(n)
        return Solution(GOOD)
"""
PREDICTING = """
class S:
    def solve(self, task, model): return Solution(GOOD)
    @staticmethod
    def predict(response, state): return response.logits.argmax(-1)[0]
"""


@pytest.fixture(params=["memory", "pids"])
def group(request, sandbox):
    with delegated_group(request.param, sandbox.uid) as folder:
        yield folder


def _left(folder):
    return [path for path in folder.iterdir() if path.is_dir()]


def test_pids_group_bounds_threads_by_itself(sandbox):
    with delegated_group("pids", sandbox.uid) as folder:
        # 10 is below RLIMIT_NPROC, which would answer first.
        result = sandbox.solve(THREADS, control_group=str(folder), n_tasks=10)
        assert 0 < int(result["log"]) < 10, result
        assert int(sandbox.solve(THREADS, control_group="")["log"]) > 10
        assert _left(folder) == []


def test_group_is_gone_after_every_end(sandbox, group):
    for source, verdict in ((PREDICTING, "OK"), ("raise ValueError", "RTE"), ("import os; os.abort()", "RTE")):
        assert sandbox.solve(source, control_group=str(group))["verdict"] == verdict
        assert _left(group) == []


def test_doctor_names_what_is_limited_and_what_is_not(monkeypatch):
    with delegated_group("memory", os.geteuid()) as memory, delegated_group("pids", os.geteuid()) as pids:
        if memory != pids:
            for folder, other in ((memory, "pids"), (pids, "memory")):
                monkeypatch.setenv(CGROUPS_VARIABLE, str(folder))
                check = probe_control_groups()
                assert (check.ok, check.detail) == (False, f"{other} not limited in {folder}")
        monkeypatch.setenv(CGROUPS_VARIABLE, f"{memory}:{pids}")
        assert probe_control_groups().ok


def test_folder_that_cannot_be_used_stops_every_start(sandbox, tmp_path):
    tmp_path.chmod(0o755)
    result = sandbox.solve(PREDICTING, control_group=str(tmp_path))
    assert result["error"] == "SandboxUnavailable"
    assert CGROUPS_VARIABLE in result["text"]
