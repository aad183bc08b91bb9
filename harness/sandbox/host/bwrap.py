"""The bubblewrap command line: namespaces and files, in order.

Every namespace is requested by name, because `--unshare-all` only tries. There is no `--proc` and
no `--dev`: in a procfs, bind paths, mountinfo and kallsyms would be readable. Without /proc/cpuinfo
torch uses its slowest kernels, so a copy of that file is provided.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from harness.errors import SandboxUnavailable
from harness.sandbox.host.environment import HARNESS_FILES, SolverEnvironment
from harness.sandbox.policy import SandboxMode, SandboxPolicy

__all__ = ["LIB", "PACKAGES", "RUNNER", "SCRATCH", "SUBMISSION", "BwrapCommand", "bwrap_path", "child_environment"]

SCRATCH = "/scratch"
LIB = "/gradfree/lib"
PACKAGES = "/gradfree/packages"
SUBMISSION = "/gradfree/submission"
RUNNER = f"{LIB}/harness/sandbox/child/runner.py"

_SNAPSHOTS = (
    "/proc/cpuinfo",
    "/sys/devices/system/cpu/possible",
    "/sys/devices/system/cpu/present",
    "/sys/devices/system/cpu/online",
)
_MEMINFO = "/proc/meminfo"
_DEVICES = ("/dev/null", "/dev/urandom")
_LOADER_CACHE = "/etc/ld.so.cache"
_EMPTY_TMPFS_BYTES = "4096"

_NAMESPACES = ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup")
_USER_FLAGS = (*("--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534"), *("--cap-drop", "ALL"))
# What the runner needs to change its user and to drop all capabilities, these included.
_ROOT_FLAGS = (
    *("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"),
    *("--cap-add", "CAP_SETPCAP"),
)


def bwrap_path() -> str:
    """Return the absolute path of bubblewrap.

    Raises:
        SandboxUnavailable: it is not installed.
    """
    found = shutil.which("bwrap")
    if found is None:
        msg = "bubblewrap is not installed; `apt install bubblewrap` (Debian, Ubuntu) or `dnf install bubblewrap`"
        raise SandboxUnavailable(msg)
    return os.path.realpath(found)


def child_environment(policy: SandboxPolicy, scratch: str) -> dict[str, str]:
    """Return all environment variables of the solver process: the same on every machine."""
    threads = str(policy.blas_threads)
    return {
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "PATH": "/nonexistent",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads,
        "OMP_DYNAMIC": "FALSE",
        "MKL_NUM_THREADS": threads,
        "MKL_DYNAMIC": "FALSE",
        "OPENBLAS_NUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
        # Otherwise joblib needs semaphores in /dev/shm, which does not exist inside.
        "JOBLIB_MULTIPROCESSING": "0",
        # Otherwise cma prints this warning into every log.
        "PYTHONWARNINGS": "ignore:Could not import matplotlib:UserWarning",
    }


class BwrapCommand:
    """Builder of the command line, and of the exact list of entries in `/`."""

    def __init__(self, open_data: Callable[[bytes], int]) -> None:
        """Start empty.

        Args:
            open_data: returns an inheritable descriptor for reading the given bytes.
        """
        self._open_data = open_data
        self._args: list[str] = []
        self._folders: set[str] = set()
        self._places: set[str] = set()

    @property
    def root_entries(self) -> list[str]:
        """The entries of `/`, sorted."""
        return sorted({PurePosixPath(place).parts[1] for place in self._places})

    def holds(self, path: str) -> bool:
        """Return whether the command puts something at or below `path`."""
        return any(place == path or place.startswith(path + "/") for place in self._places)

    def build(
        self,
        mode: SandboxMode,
        policy: SandboxPolicy,
        environment: SolverEnvironment,
        submission: Mapping[str, bytes],
        *,
        fds: Mapping[str, int],
    ) -> list[str]:
        """Return the command line.

        Args:
            mode: USER or ROOT.
            policy: for the scratch size and the thread counts.
            environment: the host paths to bind read-only.
            submission: relative path -> contents.
            fds: "channel", "seccomp" and "info".
        """
        self._bind_environment(environment)
        self._copy_files(submission)
        # The process's limits: the machine's own values would show the load of other runs.
        kib = policy.memory_bytes // 1024
        lines = "".join(f"{name}: {kib} kB\n" for name in ("MemTotal", "MemFree", "MemAvailable"))
        self._copy(lines.encode(), _MEMINFO)
        self._folder("/dev")
        for device in _DEVICES:
            self._args += ["--dev-bind", device, device]
        self._note(SCRATCH)
        variables = child_environment(policy, SCRATCH)
        return [
            bwrap_path(),
            *(_USER_FLAGS if mode is SandboxMode.USER else ()),
            *_NAMESPACES,
            *("--hostname", "sandbox", "--die-with-parent", "--new-session", "--clearenv"),
            *(_ROOT_FLAGS if mode is SandboxMode.ROOT else ()),
            *(word for name, value in variables.items() for word in ("--setenv", name, value)),
            *self._args,
            *("--perms", "1777", "--size", str(policy.scratch_bytes), "--tmpfs", SCRATCH),
            *("--chdir", SCRATCH, "--remount-ro", "/"),
            *("--seccomp", str(fds["seccomp"]), "--info-fd", str(fds["info"])),
            *("--", str(environment.python), "-S", "-s", "-P", "-B", RUNNER, str(fds["channel"]), LIB),
        ]

    def _bind_environment(self, environment: SolverEnvironment) -> None:
        for tree in environment.trees:
            self._bind(tree, str(tree))
        for place, path in environment.libraries.items():
            self._bind(path, place)
        if Path(_LOADER_CACHE).exists():
            self._bind(Path(_LOADER_CACHE), _LOADER_CACHE)
        # A folder inside a bound tree cannot be removed, only covered.
        for hidden in map(str, environment.hidden):
            self._args += ["--perms", "0755", "--size", _EMPTY_TMPFS_BYTES, "--tmpfs", hidden]
            self._args += ["--remount-ro", hidden]
        self._folder(PACKAGES)
        for name, path in environment.packages.items():
            # A bind takes bubblewrap about a millisecond, a copy of a small file much less.
            if path.is_file():
                self._copy(path.read_bytes(), f"{PACKAGES}/{name}")
            else:
                self._bind(path, f"{PACKAGES}/{name}")

    def _copy_files(self, submission: Mapping[str, bytes]) -> None:
        harness = Path(__file__).resolve().parents[2]
        for name in HARNESS_FILES:
            self._copy((harness / name).read_bytes(), f"{LIB}/harness/{name}")
        self._folder(SUBMISSION)
        for name, data in submission.items():
            self._copy(data, f"{SUBMISSION}/{name}")
        for path in _SNAPSHOTS:
            if Path(path).exists():
                self._copy(Path(path).read_bytes(), path)

    def _bind(self, source: Path, place: str) -> None:
        self._ancestors(place)
        self._args += ["--ro-bind", str(source), place]

    def _copy(self, data: bytes, place: str) -> None:
        self._ancestors(place)
        self._args += ["--perms", "0444", "--file", str(self._open_data(data)), place]

    def _ancestors(self, place: str) -> None:
        self._note(place)
        for parent in reversed(PurePosixPath(place).parents[:-1]):
            self._folder(str(parent))

    def _folder(self, path: str) -> None:
        # bubblewrap would create an ancestor with mode 0700, inaccessible to the solver's user.
        if path in self._folders:
            return
        self._ancestors(path)
        self._folders.add(path)
        self._args += ["--perms", "0755", "--dir", path]

    def _note(self, place: str) -> None:
        self._places.add(place)
