"""What there is inside: exactly this, and nothing else."""

import os

import pytest

pytestmark = pytest.mark.attack

SOLVER = """
import os, resource
class S:
    def solve(self, task, model):
        print({expression})
        return Solution(GOOD)
"""


def look(sandbox, expression):
    result = sandbox.solve(SOLVER.format(expression=expression))
    assert result["verdict"] == "OK", result
    return result["log"]


def test_open_descriptors_are_four(sandbox):
    is_open = "[fd for fd in range(256) if _open(fd)]"
    source = SOLVER.format(expression=is_open) + (
        "\ndef _open(fd):\n    try: os.fstat(fd)\n    except OSError: return False\n    return True\n"
    )
    leak = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        assert sandbox.solve(source)["log"] == "[0, 1, 2, 3]\n"
    finally:
        os.close(leak)


def test_root_folder_holds_what_is_bound(sandbox):
    # Where the interpreter lies, its ancestors are there, empty but for the way to it.
    ways = "{'root', 'usr', 'home', 'work', 'opt'}"
    found = look(sandbox, f"sorted(set(os.listdir('/')) - {ways})")
    assert found == "['dev', 'etc', 'gradfree', 'lib', 'lib64', 'proc', 'scratch', 'sys']\n"


def test_user_is_nobody_else_and_dumps_no_core(sandbox):
    ids = "len({*os.getresuid(), *os.getresgid(), *os.getgroups()} - {0}) == 1 and os.getuid() != 0"
    assert look(sandbox, f"{ids}, resource.getrlimit(resource.RLIMIT_CORE)") == "True (0, 0)\n"


def test_memory_in_sight_is_what_the_process_may_use(sandbox):
    assert look(sandbox, "open('/proc/meminfo').read()").split()[:3] == ["MemTotal:", str(1 << 20), "kB"]


def test_environment_is_the_same_whatever_the_worker_has(sandbox, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    assert "SECRET" not in look(sandbox, "sorted(os.environ)")
