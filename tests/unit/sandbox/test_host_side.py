"""The launcher's parts that need no process: policy, files, command line, environment, messages."""

import os
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.api.types import ModelInfo
from harness.errors import InvalidSubmission, SandboxUnavailable, UsageError
from harness.sandbox import SandboxMode, SandboxPolicy, process, require_mode
from harness.sandbox.host import watchdog
from harness.sandbox.host.bwrap import HARNESS_FILES, BwrapCommand
from harness.sandbox.host.elf import needed_libraries
from harness.sandbox.host.environment import solver_environment
from harness.sandbox.host.log import LogDrain
from harness.sandbox.host.snapshot import MAX_FILES, read_files
from harness.sandbox.host.watchdog import SolverClock, sample_process
from harness.sandbox.solution_check import BadSolutionError, build_solution
from harness.sandbox.wire.frames import Frame, FrameError, FrameType
from harness.sandbox.wire.messages import QueryMessage, SolutionMessage, arrays_of, read_message
from harness.session.submission import read_submission

HARNESS = Path(__file__).resolve().parents[3] / "harness"


@pytest.mark.parametrize("field", ["solver_s", "cpu_s", "memory_bytes", "log_bytes", "blas_threads"])
def test_policy_limit_of_zero_is_refused(field):
    with pytest.raises(UsageError, match=field):
        SandboxPolicy(**{field: 0})


def test_snapshot_regular_files_are_read(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_bytes(b"x")
    (tmp_path / "solver.py").write_text("a")
    (tmp_path / "sub" / "b.py").write_text("b")
    assert read_files(tmp_path) == {"solver.py": b"a", "sub/b.py": b"b"}


def _link(path):
    (path / "passwd").symlink_to("/etc/passwd")


def _folder_link(path):
    (path / "etc").symlink_to("/etc")


def _fifo(path):
    os.mkfifo(path / "fifo")


def _many(path):
    for n in range(MAX_FILES + 1):
        (path / f"{n}.py").touch()


def _large(path):
    with (path / "big").open("wb") as file:
        file.truncate(17 << 20)


@pytest.mark.parametrize("make", [_link, _folder_link, _fifo, _many, _large])
def test_snapshot_anything_else_is_refused(tmp_path, make):
    make(tmp_path)
    with pytest.raises(InvalidSubmission):
        read_files(tmp_path)


@pytest.mark.parametrize("read", [read_files, lambda path: read_submission(path, 9999)])
def test_folder_swapped_for_a_link_while_it_is_read_leads_nowhere(tmp_path, monkeypatch, read):
    """The owner of a folder changes it under the reader: between listing a folder and opening its files."""
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    for path in (secret, folder / "inner"):
        path.mkdir(parents=True)
        (path / "solver.py").write_text("SECRET" if path == secret else "import numpy")
    (folder / "solver.toml").write_text('name = "x"\nentry = "inner.solver:S"\n')
    walk = os.fwalk

    def swap(top):
        for found in walk(top):
            if found[0].endswith("inner"):
                (folder / "inner").rename(tmp_path / "away")
                (folder / "inner").symlink_to(secret)
            yield found

    monkeypatch.setattr(os, "fwalk", swap)
    files = read(folder)
    assert b"SECRET" not in (files if isinstance(files, dict) else files.files)["inner/solver.py"]


def test_snapshot_missing_folder_is_refused(tmp_path):
    with pytest.raises(InvalidSubmission, match="expected a folder"):
        read_files(tmp_path / "nothing")


def test_environment_binds_no_more_than_listed():
    environment = solver_environment()
    tops = {name.split("/")[0].split("-")[0] for name in environment.packages}
    assert {"numpy", "scipy", "cma", "sklearn", "torch"} <= tops
    assert not tops & {"transformers", "sqlalchemy", "matplotlib", "pandas", "harness", "pydantic", "pip", "setuptools"}
    assert not any("site-packages" in str(tree) for tree in environment.trees)
    assert any(path.endswith("libc.so.6") for path in environment.libraries)
    for tree in environment.trees:
        for name in ("site-packages", "dist-packages"):
            assert not (tree / name).is_dir() or tree / name in environment.hidden


def test_machine_without_an_environment_for_solvers_loses_no_descriptor(monkeypatch):
    def broken():
        raise SandboxUnavailable("no libraries")

    monkeypatch.setattr(process, "solver_environment", broken)
    before = set(Path("/proc/self/fd").iterdir())
    with (
        pytest.raises(SandboxUnavailable, match="no libraries"),
        process.SolverProcess({}, SandboxPolicy(), SandboxMode.UNSAFE, wall_s=1.0),
    ):
        pytest.fail("it cannot start")
    assert set(Path("/proc/self/fd").iterdir()) <= before


def test_elf_needed_libraries_agree_with_the_loader():
    python = Path(os.path.realpath(sys.executable))
    listed = subprocess.run(["ldd", str(python)], capture_output=True, text=True, check=True).stdout
    needed = needed_libraries(python)
    assert {"libc.so.6", "/lib64/ld-linux-x86-64.so.2"} <= needed
    assert all(name in listed for name in needed)
    assert needed_libraries(Path(__file__)) == set()


@pytest.mark.parametrize("mode", [SandboxMode.USER, SandboxMode.ROOT])
def test_command_line_asks_for_every_layer_by_name(mode, monkeypatch):
    monkeypatch.setattr("harness.sandbox.host.bwrap.bwrap_path", lambda: "/usr/bin/bwrap")
    bwrap = BwrapCommand(lambda data: 99)
    fds = {"channel": 5, "seccomp": 6, "info": 7}
    command = bwrap.build(mode, SandboxPolicy(), solver_environment(), {"solver.py": b""}, fds=fds)
    assert not {"--unshare-all", "--proc", "--dev", "--bind", "--share-net"} & set(command)
    assert {"--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"} <= set(command)
    assert ("--unshare-user" in command) == ("--disable-userns" in command) == (mode is SandboxMode.USER)
    assert ("CAP_SETUID" in command) == (mode is SandboxMode.ROOT)
    remount = len(command) - 1 - command[::-1].index("--remount-ro")
    assert command[remount + 1] == "/"
    assert not {"--ro-bind", "--dir", "--file", "--tmpfs"} & set(command[remount:])
    for at, word in enumerate(command):
        if word == "--dir":
            assert command[at - 2 : at] == ["--perms", "0755"]
    assert {"dev", "etc", "gradfree", "proc", "scratch", "sys"} <= set(bwrap.root_entries)
    assert bwrap.holds("/gradfree/submission/solver.py")
    assert not bwrap.holds("/etc/passwd")


def test_child_files_import_nothing_outside_the_list():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import harness.sandbox.child.work, "
        "harness.sandbox.child.selftest, harness.sandbox.child.lockdown, harness.sandbox.child.runner; "
        "print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'harness'))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(HARNESS.parent)], capture_output=True, text=True, check=True
    )
    loaded = {str(Path(name).relative_to(HARNESS)) for name in found.stdout.split()}
    assert loaded == set(HARNESS_FILES)


def _frame(meta, payload=b""):
    return Frame(FrameType.QUERY, 1, meta, bytearray(payload))


GOOD = {"layer": None, "base": None, "split": "train", "wording": 0, "outputs": [], "arrays": []}


@pytest.mark.parametrize(
    "change",
    [
        {"layer": True},
        {"layer": 1.0},
        {"layer": "1"},
        {"layer": 2**63},
        {"split": None},
        {"split": "\ud800"},
        {"outputs": ["\udfff"]},
        {"outputs": [1]},
        {"extra": 1},
        {"arrays": [{"name": "values", "dtype": "<f4", "shape": [1], "order": "F"}]},
        {"arrays": [{"name": "values", "dtype": "<f4", "shape": [1.5]}]},
    ],
)
def test_message_of_another_shape_is_refused(change):
    with pytest.raises(FrameError):
        read_message(QueryMessage, _frame({**GOOD, **change}))


def test_message_arrays_of_other_names_or_types_are_refused():
    for spec in (
        {"name": "labels", "dtype": "<f4"},
        {"name": "values", "dtype": "<f8"},
        {"name": "rows", "dtype": "<i4"},
    ):
        frame = _frame({**GOOD, "arrays": [{**spec, "shape": [1]}]}, bytes(8))
        with pytest.raises(FrameError, match="not expected"):
            arrays_of(read_message(QueryMessage, frame), frame, {"values": "<f4"}, {"rows": "<i8"})
    frame = _frame(GOOD)
    with pytest.raises(FrameError, match="missing"):
        arrays_of(read_message(QueryMessage, frame), frame, {"values": "<f4"}, {})


def test_message_state_arrays_may_have_any_name_and_listed_type():
    meta = {"wordings": [], "outputs": [], "arrays": [{"name": "state.w.x", "dtype": "<i2", "shape": [4]}]}
    frame = _frame(meta, bytes(8))
    found = arrays_of(read_message(SolutionMessage, frame), frame, {}, {"state.": ""})
    assert found["state.w.x"].dtype == np.int16


INFO = ModelInfo("toy", 2, 4, 3, 0.1, 100, outputs=("logits", "features"), max_ensemble=3)


def _build(**changes):
    given = {
        "prompts": np.zeros((1, 2, 3, 4), np.float32),
        "wordings": (),
        "outputs": ("logits",),
        "state": {},
        "info": INFO,
        "policy": SandboxPolicy(max_ensemble=2, state_bytes=100),
        "known_wordings": [1],
        "has_predict": True,
        **changes,
    }
    return build_solution(
        given.pop("prompts"), given.pop("wordings"), given.pop("outputs"), given.pop("state"), **given
    )


def test_solution_good_one_is_returned():
    solution = _build(
        prompts=np.ones((2, 2, 3, 4), np.float32), wordings=(0, 1), outputs=("features",), state={"a": np.ones(3)}
    )
    assert [wording.id for wording in solution.wordings] == [0, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"prompts": np.zeros((2, 3, 4), np.float32)},
        {"prompts": np.zeros((3, 2, 3, 4), np.float32)},
        {"prompts": np.full((1, 2, 3, 4), np.inf, np.float32)},
        {"prompts": np.full((1, 2, 3, 4), 10001, np.float32)},
        {"wordings": (0, 0)},
        {"wordings": (2,)},
        {"outputs": ("logits", "logits")},
        {"outputs": ("word_logits",)},
        {"outputs": ("features",), "has_predict": False},
        {"outputs": ("layer_std",), "info": replace(INFO, outputs=("logits", "layer_std"))},
        {"state": {"a": np.zeros(13)}},
        {"state": {"a": np.array([np.nan], np.float16)}},
    ],
)
def test_solution_bad_one_is_refused(changes):
    with pytest.raises(BadSolutionError, match="Solution"):
        _build(**changes)


def test_clock_runs_only_between_start_and_stop():
    clock = SolverClock()
    assert clock.elapsed_s() == 0
    clock.start()
    clock.start()
    while clock.elapsed_s() == 0:
        pass
    clock.stop()
    stood = clock.elapsed_s()
    clock.stop()
    assert clock.elapsed_s() == stood > 0
    clock.start(since=time.monotonic() - 60)
    clock.stop()
    assert 60 <= clock.elapsed_s() - stood < 70


def test_sample_process_of_dead_one_is_none_even_if_its_number_is_reused():
    child = subprocess.Popen(["sleep", "60"])
    folder = os.open(f"/proc/{child.pid}", os.O_RDONLY | os.O_DIRECTORY)
    assert sample_process(folder).peak_rss_bytes > 0
    child.kill()
    child.wait()
    assert sample_process(folder) is None
    os.close(folder)


@pytest.mark.parametrize("error", [OSError, ValueError, MemoryError])
def test_watchdog_that_cannot_look_kills(monkeypatch, error):
    def blind(_fd):
        raise error("blind")

    monkeypatch.setattr(watchdog, "sample_process", blind)
    killed = threading.Event()
    limits = watchdog.WatchLimits(wall_s=60, cpu_s=60, memory_bytes=1 << 40, scratch_inodes=99)
    dog = watchdog.Watchdog(-1, SolverClock(), limits, killed.set, None)
    dog.start()
    assert killed.wait(5)
    dog.join(5)
    assert isinstance(dog.fault, error)


def test_sample_process_of_any_name_is_read():
    """A thread names itself, and the kernel writes that name before the figures."""
    code = "import ctypes; ctypes.CDLL(None).prctl(15, bytes([255, 41, 10, 254]), 0, 0, 0); print(); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    folder = os.open(f"/proc/{process.pid}", os.O_RDONLY)
    found = sample_process(folder)
    process.communicate(b"\n")
    os.close(folder)
    assert found.cpu_s > 0
    assert found.unreclaimable_bytes > 1 << 20


def test_require_mode_without_bubblewrap_names_the_fix(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="apt install bubblewrap"):
        require_mode()
    assert require_mode(unsafe=True) is SandboxMode.UNSAFE


def test_require_mode_old_bubblewrap_is_refused(monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho bubblewrap 0.6.2\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match=r"0\.6\.2, expected 0\.8"):
        require_mode()


def test_package_exports_every_name_and_no_other():
    import harness.sandbox

    for name in harness.sandbox.__all__:
        assert getattr(harness.sandbox, name) is not None
    with pytest.raises(AttributeError):
        harness.sandbox.nothing  # noqa: B018


def test_the_log_stands_in_a_file_as_it_is_read_bounded_and_private(tmp_path):
    read_end, write_end = os.pipe()
    log = LogDrain(read_end, 10, tmp_path / "log")
    log.start()
    os.write(write_end, b"12345")
    deadline = time.monotonic() + 10
    while not ((tmp_path / "log").is_file() and (tmp_path / "log").stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (tmp_path / "log").read_bytes() == b"12345", "before the writer has ended"
    os.write(write_end, b"67890 and more")
    os.close(write_end)
    log.join()
    assert (tmp_path / "log").read_bytes() == log.kept == b"1234567890"
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_a_log_whose_file_cannot_be_made_is_kept_in_memory(tmp_path):
    read_end, write_end = os.pipe()
    log = LogDrain(read_end, 10, tmp_path / "nowhere" / "log")
    log.start()
    os.write(write_end, b"12345")
    os.close(write_end)
    log.join()
    assert log.kept == b"12345"
