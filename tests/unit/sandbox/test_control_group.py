"""Control groups over a make-believe kernel; the real one is tried in the integration tests."""

import os
from pathlib import Path

import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox.host.control_group import CGROUPS_VARIABLE, ControlGroup, delegated_folders
from harness.sandbox.probe import probe_control_groups

VERSION_1 = ("memory.limit_in_bytes", "memory.oom_control", "cgroup.procs")
VERSION_2 = ("memory.max", "memory.swap.max", "memory.events", "pids.max", "cgroup.procs")


@pytest.fixture
def kernel(monkeypatch):
    """Fills every new folder with a group's files, and takes them along when it is removed."""
    make, remove = Path.mkdir, Path.rmdir

    def install(files):
        def mkdir(self, *args, **kwargs):
            make(self, *args, **kwargs)
            for name in files:
                (self / name).touch()

        def rmdir(self):
            for path in self.iterdir():
                path.unlink()
            remove(self)

        monkeypatch.setattr(Path, "mkdir", mkdir)
        monkeypatch.setattr(Path, "rmdir", rmdir)

    return install


def test_group_of_version_2_gets_limits_and_process_and_goes(kernel, tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("cpu")
    kernel(VERSION_2)
    group = ControlGroup([tmp_path], memory_bytes=1000, n_tasks=7)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    group.add(42)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids"
    found = {name: (folder / name).read_text() for name in VERSION_2}
    assert found == {
        "memory.max": "1000",
        "memory.swap.max": "0",
        "memory.events": "",
        "pids.max": "7",
        "cgroup.procs": "42",
    }
    group.remove()
    assert not folder.exists()


@pytest.mark.parametrize(("files", "events"), [(VERSION_1, "memory.oom_control"), (VERSION_2, "memory.events")])
def test_kill_for_memory_is_noticed(kernel, tmp_path, files, events):
    kernel(files)
    group = ControlGroup([tmp_path], memory_bytes=1, n_tasks=1)
    assert not group.was_out_of_memory()
    (next(tmp_path.iterdir()) / events).write_text("under_oom 0\noom_kill 1\n")
    assert group.was_out_of_memory()


def test_groups_of_a_dead_worker_are_removed_and_of_a_living_one_kept(kernel, tmp_path):
    kernel(VERSION_2)
    dead, living = tmp_path / "gradfree-999999999-ab", tmp_path / f"gradfree-{os.getpid()}-cd"
    for path in (dead, living):
        path.mkdir()
    ControlGroup([tmp_path], memory_bytes=1, n_tasks=1).remove()
    assert [path.name for path in tmp_path.iterdir()] == [living.name]


def test_folder_without_controllers_is_refused_and_left_clean(tmp_path):
    with pytest.raises(SandboxUnavailable, match="neither the memory nor the pids controller"):
        ControlGroup([tmp_path], memory_bytes=1, n_tasks=1)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there_is_refused_and_named(tmp_path):
    with pytest.raises(SandboxUnavailable, match=f"nowhere.*{CGROUPS_VARIABLE}"):
        ControlGroup([tmp_path / "nowhere"], memory_bytes=1, n_tasks=1)


def test_doctor_says_whether_groups_are_delegated(kernel, monkeypatch, tmp_path):
    monkeypatch.delenv(CGROUPS_VARIABLE, raising=False)
    assert delegated_folders() == []
    assert not probe_control_groups().ok
    monkeypatch.setenv(CGROUPS_VARIABLE, f"{tmp_path}:")
    assert not probe_control_groups().ok
    kernel(VERSION_2)
    assert probe_control_groups().ok
