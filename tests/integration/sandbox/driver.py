"""Fixtures that run a case in each mode that this machine and user allow."""

import importlib.util
import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[2]
_NOBODY = 65534


def load_kit():
    """Import the kit by path: test folders are not packages."""
    spec = importlib.util.spec_from_file_location("sandbox_kit", _HERE / "kit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _interpreters():
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [os.path.realpath(sys.executable), shutil.which(version, path="/usr/bin:/usr/local/bin")]


class InProcess:
    """Runs cases in this process."""

    uid = os.geteuid()

    def __init__(self, mode):
        self.mode = mode
        self._kit = load_kit()

    def solve(self, source, *, prelude=True, **options):
        return self._json(self._kit.solve(self.mode, (self._kit.PRELUDE if prelude else "") + source, **options))

    def predict(self, source, batches, state=None, **options):
        return self._json(self._kit.predict(self.mode, self._kit.PRELUDE + source, batches, state, **options))

    @staticmethod
    def _json(result):
        return json.loads(json.dumps(result, default=str))

    def close(self):
        pass


class AsNobody:
    """Runs cases in a server process of an ordinary user."""

    mode = "user"
    uid = _NOBODY

    def __init__(self):
        self._prelude = load_kit().PRELUDE
        paths = [str(_ROOT), sysconfig.get_path("purelib"), *site.getsitepackages()]
        env = {
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.environ["PATH"],
            # What a test leaks on purpose.
            **{name: value for name, value in os.environ.items() if name.startswith("GRADFREE_")},
        }
        problems = []
        for python in filter(None, _interpreters()):
            self._server = (
                subprocess.Popen(
                    [python, str(_HERE / "kit.py")],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env=env,
                    cwd="/",
                    user=_NOBODY,
                    group=_NOBODY,
                    extra_groups=[],
                )
                if _may_execute(python)
                else None
            )
            if self._server is None:
                problems.append(f"{python} cannot be reached by an ordinary user")
                continue
            hello = self._server.stdout.readline()
            if hello:
                return
            problems.append(f"{python}: {self._server.communicate()[1][-300:]}")
        pytest.skip(f"USER MODE NOT TESTED: no interpreter for an ordinary user: {'; '.join(problems)}")

    def solve(self, source, *, prelude=True, **options):
        return self._ask("solve", (self._prelude if prelude else "") + source, **options)

    def predict(self, source, batches, state=None, **options):
        return self._ask("predict", self._prelude + source, batches, state, **options)

    def _ask(self, call, *args, **kwargs):
        case = {"call": call, "args": [self.mode, *args], "kwargs": kwargs}
        self._server.stdin.write(json.dumps(case) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, f"the server died: {self._server.stderr.read()[-2000:]}"
        return json.loads(answer)

    def close(self):
        self._server.stdin.close()
        self._server.wait(20)
        self._server.stdout.close()
        self._server.stderr.close()


def _may_execute(python):
    """Whether an ordinary user reaches the file: every folder above it must be open."""
    path = Path(python)
    return all(parent.stat().st_mode & 0o001 for parent in path.parents) and bool(path.stat().st_mode & 0o001)


def open_mode(mode):
    """Return something that runs cases in `mode`, or skip, saying why."""
    if mode == "unsafe":
        return InProcess("unsafe")
    from harness.sandbox import probe_host

    is_root = os.geteuid() == 0
    if mode == "root" and not is_root:
        pytest.skip("ROOT MODE NOT TESTED: the tests run as an ordinary user")
    if mode == "user" and is_root:
        return AsNobody()
    report = probe_host()
    if report.mode != mode:
        broken = [f"{check.name}: {check.detail}" for check in report.checks if not check.ok]
        pytest.skip(f"{mode.upper()} MODE NOT TESTED: {'; '.join(broken)}")
    return InProcess(mode)
