"""A layer that is missing is noticed, named, and ends the run before any submitted code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox import SandboxMode, SandboxPolicy, process
from harness.sandbox.host import bwrap, seccomp
from harness.sandbox.host.isolation import check_isolation
from harness.sandbox.probe import probe_host
from harness.sandbox.process import SolverProcess

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def mode():
    report = probe_host()
    if report.mode is None:
        pytest.skip(f"NOT TESTED: {[check.detail for check in report.checks if not check.ok]}")
    return report.mode


def start(mode):
    with SolverProcess({}, SandboxPolicy(), mode, wall_s=5.0) as started:
        return started.versions


def without(words, flag, n_values=0):
    """Leave a flag out of bubblewrap's command line."""
    at = words.index(flag)
    return words[:at] + words[at + 1 + n_values :]


@pytest.mark.parametrize(
    ("flag", "n_values", "names"),
    [
        ("--unshare-net", 0, "net namespace"),
        ("--unshare-ipc", 0, "ipc namespace"),
        ("--unshare-cgroup", 0, "cgroup namespace"),
        ("--seccomp", 1, "Seccomp_filters is '1', expected '2'"),
        ("--remount-ro", 1, "/ is not on a read-only mount"),
    ],
)
def test_start_without_a_layer_is_refused(mode, monkeypatch, flag, n_values, names):
    whole = bwrap.BwrapCommand.build

    def build(self, *args, **kwargs):
        words = whole(self, *args, **kwargs)
        if flag == "--remount-ro":  # the last one is the root folder's
            at = len(words) - 1 - words[::-1].index(flag)
            return words[:at] + words[at + 2 :]
        return without(words, flag, n_values)

    monkeypatch.setattr(bwrap.BwrapCommand, "build", build)
    with pytest.raises(SandboxUnavailable, match=names):
        start(mode)


def test_start_with_an_empty_second_filter_is_refused(mode, monkeypatch):
    allow_all = seccomp.Instruction(0x06, 0, 0, 0x7FFF0000).pack()
    monkeypatch.setattr(process.seccomp, "stage_2", lambda: allow_all)
    with pytest.raises(SandboxUnavailable, match="seccomp did not fail as refused"):
        start(mode)


def test_start_with_an_additional_file_in_sight_is_refused(mode, monkeypatch):
    whole = bwrap.BwrapCommand.build

    def build(self, *args, **kwargs):
        words = whole(self, *args, **kwargs)
        at = words.index("--chdir")
        return [*words[:at], "--ro-bind", "/etc/passwd", "/etc/passwd", *words[at:]]

    monkeypatch.setattr(bwrap.BwrapCommand, "build", build)
    with pytest.raises(SandboxUnavailable, match="/etc/passwd can be seen"):
        start(mode)


def test_start_with_another_package_version_inside_is_refused(mode, monkeypatch):
    environment = process.solver_environment()
    monkeypatch.setitem(environment.versions, "numpy", "0.0.1")
    with pytest.raises(SandboxUnavailable, match="not the same environment"):
        start(mode)


def test_start_with_failing_bubblewrap_tells_what_it_said(mode, monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho bwrap: setting up uid map: Permission denied >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="setting up uid map: Permission denied"):
        start(mode)


def test_start_in_the_wrong_mode_is_refused():
    wrong = SandboxMode.USER if os.geteuid() == 0 else SandboxMode.ROOT
    with pytest.raises(SandboxUnavailable, match="mode"):
        start(wrong)


def test_start_reports_versions_and_landlock(mode):
    versions = start(mode)
    assert versions["python"] == sys.version
    assert {"numpy", "scipy", "cma", "landlock_abi"} <= versions.keys()


def test_host_check_of_an_ordinary_process_names_everything():
    with pytest.raises(SandboxUnavailable) as caught:
        check_isolation(os.getpid(), 1, user_namespace=True)
    for name in ("NoNewPrivs", "Seccomp", "Uid", "mnt namespace", "net namespace", "user namespace"):
        assert name in str(caught.value)


def test_self_test_outside_a_sandbox_finds_every_breach():
    code = (
        "import os; from harness.sandbox.child.selftest import breaches, writable_mounts; "
        "os.closerange(3, 64); print(*breaches([], ['/etc/passwd'], 9), *writable_mounts(['/']), sep='\\n')"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/", env={"PYTHONPATH": str(ROOT)}
    ).stdout
    for name in (
        "socket did not",
        "clone did not",
        "execve did not",
        "ptrace did not",
        "seccomp did not",
        "/ holds",
        "/ is not on a read-only mount",
        "descriptors",
        "/etc/passwd can be seen",
    ):
        assert name in found
