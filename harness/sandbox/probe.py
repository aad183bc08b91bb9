"""Probe whether and how this machine can isolate a solver, with a fix for each missing layer."""

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import GradfreeError, SandboxUnavailable
from harness.sandbox.host.bwrap import bwrap_path
from harness.sandbox.host.control_group import CGROUPS_VARIABLE, ControlGroup, delegated_folders
from harness.sandbox.policy import SandboxMode, SandboxPolicy
from harness.sandbox.process import SolverProcess

__all__ = ["HostCheck", "HostReport", "probe_control_groups", "probe_host", "require_mode"]

_MIN_BWRAP = (0, 8)
_MIN_KERNEL = (5, 14)
"""pidfd, close_range, Seccomp_filters, and RLIMIT_NPROC counted per user namespace (5.14)."""
_CAP_SYS_ADMIN = 21
_WHOLE_UID_MAP = ["0", "0", "4294967295"]
_FLAGS = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
    *("--unshare-cgroup", "--disable-userns", "--hostname", "--die-with-parent", "--new-session"),
    *("--clearenv", "--cap-drop", "--cap-add", "--perms", "--size", "--tmpfs", "--file", "--ro-bind"),
    *("--dev-bind", "--remount-ro", "--seccomp", "--info-fd", "--chdir", "--setenv", "--uid", "--gid"),
)
_INSTALL = "`apt install bubblewrap` (Debian 12 or newer, Ubuntu 24.04 or newer) or `dnf install bubblewrap`"
_APPARMOR = (
    "Ubuntu 24.04 restricts user namespaces by AppArmor: `apt install apparmor-profiles`, then "
    "`ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/` and "
    "`systemctl reload apparmor`"
)
_CONTAINER = "inside a container start it with `--cap-add SYS_ADMIN` and an unconfined seccomp and AppArmor profile"


@dataclass(frozen=True, slots=True)
class HostCheck:
    """One requirement of isolation.

    Attributes:
        name: what was checked.
        ok: whether it is met.
        detail: what was found.
        fix: what to do; "" if it is met.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class HostReport:
    """The isolation part of `gradfree doctor`.

    Attributes:
        checks: in order; those after a failure may be missing.
        mode: the mode in which this process can isolate a solver, None if there is none.
    """

    checks: tuple[HostCheck, ...]
    mode: SandboxMode | None


def probe_host() -> HostReport:
    """Check the machine, then start and inspect a real sandbox. A missing layer does not raise."""
    mode = SandboxMode.ROOT if os.geteuid() == 0 else SandboxMode.USER
    checks = [_platform(), _kernel(), _bubblewrap()]
    checks += [_capability(), _uid_map()] if mode is SandboxMode.ROOT else [_user_namespaces()]
    if all(check.ok for check in checks):
        checks.append(_trial(mode))
    return HostReport(tuple(checks), mode if all(check.ok for check in checks) else None)


def probe_control_groups() -> HostCheck:
    """Check whether solvers run in control groups: a second layer, if the organizer delegates it."""
    name = "control groups"
    folders = delegated_folders()
    if not folders:
        return _missing(
            name,
            "none delegated: only resource limits and the watchdog bound memory and threads",
            f"create a group for the worker and set {CGROUPS_VARIABLE} to its folder: see SECURITY.md",
        )
    try:
        group = ControlGroup(folders, memory_bytes=1 << 30, n_tasks=1)
        group.remove()
    except SandboxUnavailable as error:
        return _missing(name, str(error), f"unset {CGROUPS_VARIABLE} to run without it")
    where = ", ".join(map(str, folders))
    missing = " and ".join(sorted({"memory", "pids"} - group.controllers))
    if missing:
        fix = f"add a folder with that controller to {CGROUPS_VARIABLE}: see SECURITY.md"
        return _missing(name, f"{missing} not limited in {where}", fix)
    return HostCheck(name, ok=True, detail=f"memory and pids limited in {where}")


def require_mode(*, unsafe: bool = False) -> SandboxMode:
    """Return the mode in which this process may run submissions.

    Args:
        unsafe: run without isolation, by explicit choice; results are then unofficial.

    Raises:
        SandboxUnavailable: the machine cannot isolate a solver; the message lists each missing
            layer with its fix.
    """
    if unsafe:
        return SandboxMode.UNSAFE
    report = probe_host()
    if report.mode is None:
        lines = "\n".join(
            f"  - {check.name}: {check.detail}. Fix: {check.fix}" for check in report.checks if not check.ok
        )
        msg = f"this machine cannot isolate a solver:\n{lines}"
        raise SandboxUnavailable(msg)
    return report.mode


def _missing(name: str, detail: str, fix: str) -> HostCheck:
    return HostCheck(name, ok=False, detail=detail, fix=fix)


def _platform() -> HostCheck:
    found = f"{platform.system()} on {platform.machine()}"
    ok = found == "Linux on x86_64"
    return HostCheck("platform", ok, found, "" if ok else "run the worker on x86-64 Linux")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])


def _kernel() -> HostCheck:
    release = platform.release()
    ok = _numbers(release) >= _MIN_KERNEL
    return HostCheck("kernel", ok, release, "" if ok else "Linux 5.14 or newer")


def _bubblewrap() -> HostCheck:
    try:
        path = bwrap_path()
        version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        text = subprocess.run([path, "--help"], capture_output=True, text=True, check=True)
    except SandboxUnavailable as error:
        return _missing("bubblewrap", str(error), _INSTALL)
    except (OSError, subprocess.CalledProcessError) as error:
        return _missing("bubblewrap", f"cannot be run: {error}", _INSTALL)
    if _numbers(version) < _MIN_BWRAP:
        return _missing("bubblewrap", f"{version}, expected 0.8 or newer", _INSTALL)
    known = set(re.findall(r"--[a-z-]+", text.stdout + text.stderr))
    unknown = [flag for flag in _FLAGS if flag not in known]
    if unknown:
        return _missing("bubblewrap", f"{version} lacks {', '.join(unknown)}", _INSTALL)
    if Path(path).stat().st_mode & 0o4000:
        return _missing("bubblewrap", f"{path} is setuid root", f"`chmod u-s {path}`: it needs no privilege")
    return HostCheck("bubblewrap", ok=True, detail=f"{version} ({path})")


def _setting(path: str) -> str | None:
    file = Path(path)
    return file.read_text().strip() if file.exists() else None


def _user_namespaces() -> HostCheck:
    name = "user namespaces"
    if _setting("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        return _missing(name, "disabled", "`sysctl -w kernel.unprivileged_userns_clone=1`")
    if _setting("/proc/sys/user/max_user_namespaces") in (None, "0"):
        return _missing(name, "none allowed", "`sysctl -w user.max_user_namespaces=10000`")
    return HostCheck(name, ok=True, detail="allowed by the kernel's settings")


def _capability() -> HostCheck:
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    ok = effective is not None and bool(int(effective[1], 16) >> _CAP_SYS_ADMIN & 1)
    return HostCheck(
        "CAP_SYS_ADMIN", ok, "held" if ok else "missing", "" if ok else f"run as an ordinary user, or {_CONTAINER}"
    )


def _uid_map() -> HostCheck:
    found = Path("/proc/self/uid_map").read_text().split()
    ok = found == _WHOLE_UID_MAP
    fix = "" if ok else "run the worker as an ordinary user: root inside a user namespace is not real root"
    return HostCheck("user numbers", ok, "all of them" if ok else " ".join(found), fix)


def _trial(mode: SandboxMode) -> HostCheck:
    """Start a real sandbox: the self-test inside and the checks from outside raise if a layer is open."""
    try:
        with SolverProcess({}, SandboxPolicy(), mode, wall_s=1.0) as process:
            landlock = process.versions["landlock_abi"]
    except (GradfreeError, OSError) as error:
        restricted = _setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1"
        return _missing("trial run", str(error), _APPARMOR if restricted else _CONTAINER)
    layers = "namespaces, both seccomp stages" + (f", Landlock ABI {landlock}" if landlock != "0" else ", no Landlock")
    return HostCheck("trial run", ok=True, detail=f"mode {mode}: {layers}")
