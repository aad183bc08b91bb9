"""Hostile solvers: each tries one thing; in a sandbox it must fail, without one it must work.

The control shows that the attack itself is sound: an attack that cannot succeed proves nothing.
"""

import os
import socket
import threading
from pathlib import Path

import pytest

pytestmark = pytest.mark.attack

ATTACK = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def syscall(*args):
    # As longs: a plain int leaves the upper half of an argument to chance.
    result = libc.syscall(*(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
class S:
    def __init__(self, **params): self.p = params
    def solve(self, task, model):
        try:
            print("GOT", self.attack())
        except BaseException as error:
            print("FAILED", type(error).__name__, getattr(error, "errno", None))
        return Solution(GOOD)
    def attack(self):
{body}
"""


def hostile(body):
    return ATTACK.format(body="\n".join("        " + line for line in body.strip().splitlines()))


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    """A label file that any user of the machine may read."""
    folder = tmp_path_factory.mktemp("labels")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)
    path = folder / "labels.tsv"
    path.write_text("the-labels")
    path.chmod(0o644)
    return path


@pytest.fixture(scope="module")
def listener():
    """A TCP server on the loopback address that counts who came."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    seen, over = [], threading.Event()

    def accept():
        while not over.is_set():
            try:
                connection, address = server.accept()
            except TimeoutError:
                continue
            seen.append(address)
            connection.close()

    thread = threading.Thread(target=accept)
    thread.start()
    yield server.getsockname()[1], seen
    over.set()
    thread.join()
    server.close()


CONTROLLED = {
    "read-labels": "return open(self.p['secret']).read()",
    "stat-labels": "return os.stat(self.p['secret']).st_size",
    "read-passwd": "return open('/etc/passwd').read()[:4]",
    "read-through-symlink": "os.symlink(self.p['secret'], 'link')\nreturn open('link').read()",
    "list-host-folder": "return os.listdir(os.path.dirname(self.p['secret']))",
    "read-own-maps": "return open('/proc/self/maps').read(10)",
    "read-parent-command-line": "return open(f'/proc/{os.getppid()}/cmdline').read(10)",
    "write-own-memory-file": "return open('/proc/self/mem', 'r+b').fileno()",
    "tcp-connect": "import socket\nreturn socket.create_connection(('127.0.0.1', self.p['port']), 5).fileno()",
    "tcp-listen": "import socket\nreturn socket.create_server(('127.0.0.1', 0)).fileno()",
    "udp-socket": "import socket\nreturn socket.socket(socket.AF_INET, socket.SOCK_DGRAM).fileno()",
    "unix-socket": "import socket\nreturn socket.socket(socket.AF_UNIX).fileno()",
    "netlink-socket": "import socket\nreturn socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).fileno()",
    "fork": "pid = os.fork()\nif pid == 0: os._exit(0)\nreturn os.waitpid(pid, 0)[1]",
    "vfork-exec-sh": "import subprocess\nreturn subprocess.run(['/bin/sh', '-c', 'true']).returncode",
    "exec-own-interpreter": "import subprocess\nreturn subprocess.run([sys.executable, '-c', '']).returncode",
    "memfd": "return os.memfd_create('x')",
    "shared-anonymous-memory": "import mmap\nreturn len(mmap.mmap(-1, 4096))",
    "sysv-shared-memory": "return syscall(29, 0, ctypes.c_size_t(4096), 0o1600) >= 0",
    "file-lock": "import fcntl\nreturn fcntl.flock(open('f', 'w'), fcntl.LOCK_EX)",
    "posix-lock": "import fcntl\nreturn fcntl.lockf(open('f', 'w'), fcntl.LOCK_EX)",
    "hard-link": "open('f', 'w').close()\nreturn os.link('f', 'g')",
    "make-fifo": "return os.mkfifo('fifo')",
    "chmod-suid": "open('f', 'w').close()\nreturn os.chmod('f', 0o4755)",
    "write-outside-scratch": "path = os.path.join(os.path.dirname(sys.modules['solver'].__file__), 'x')\nreturn open(path, 'w').write('x')",
    "pidfd-open": "return os.pidfd_open(os.getpid())",
    "kill-parent": "return os.kill(os.getppid(), 0)",
    "process-vm-readv": "b = ctypes.create_string_buffer(8)\nv = (ctypes.c_uint64 * 2)(ctypes.addressof(b), 8)\nreturn syscall(310, os.getpid(), v, 1, v, 1, 0)",
    "prlimit-parent": "r = (ctypes.c_uint64 * 2)()\nreturn syscall(302, os.getppid(), 7, None, r)",
    "raise-own-limit": "import resource\nsoft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\nreturn resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))",
    "inotify": "return syscall(253)",
    "personality": "return syscall(135, 0xffffffff)",
    "core-dumpable": "return syscall(157, 4, 1, 0, 0, 0)",
    "clone3": "return syscall(435, None, 0)",
    "send-file-descriptor": "import array, socket\na, b = socket.socketpair()\nreturn a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0]))])",
}
# Without its argument structure it fails everywhere; what counts is how: see the unit tests of the filter.
WITHOUT_CONTROL = {"clone3"}


@pytest.mark.parametrize("name", CONTROLLED)
def test_attack_in_sandbox_is_refused(sandbox, secret, listener, name):
    port, seen = listener
    result = sandbox.solve(hostile(CONTROLLED[name]), params={"secret": str(secret), "port": port})
    assert result["verdict"] == "OK", result["message"] + result["log"]
    assert result["log"].splitlines()[-1].startswith("FAILED"), result["log"]
    assert seen == []
    assert secret.read_text() == "the-labels"
    assert result["calls_left"] == 100


@pytest.mark.parametrize("name", sorted(CONTROLLED.keys() - WITHOUT_CONTROL))
def test_attack_without_sandbox_works(unsafe, secret, listener, name):
    port, seen = listener
    result = unsafe.solve(hostile(CONTROLLED[name]), params={"secret": str(secret), "port": port})
    assert result["log"].splitlines()[-1].startswith("GOT"), result["log"] + result["message"]
    seen.clear()


def test_attack_merge_pages_is_refused(sandbox, unsafe):
    body = "import mmap\nm = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\nreturn m.madvise(12)"
    assert "FAILED OSError 22" in sandbox.solve(hostile(body))["log"]
    if not Path("/sys/kernel/mm/ksm").exists():
        pytest.skip("NO CONTROL: this kernel has no page merging")
    assert "GOT" in unsafe.solve(hostile(body))["log"]


def test_attack_inherited_environment_is_clean(sandbox, unsafe, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    body = "return sorted(os.environ)"
    for runner in (sandbox, unsafe):
        assert "SECRET_TOKEN" not in runner.solve(hostile(body))["log"]


def test_attack_inherited_descriptors_are_exact(sandbox):
    leak = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(leak, True)
    body = """
found = []
for fd in range(256):
    try: os.fstat(fd)
    except OSError: continue
    found.append(fd)
return found
"""
    try:
        assert sandbox.solve(hostile(body))["log"] == "GOT [0, 1, 2, 3]\n"
    finally:
        os.close(leak)


def test_attack_root_folder_holds_nothing_else(sandbox):
    log = sandbox.solve(
        hostile("return sorted(set(os.listdir('/')) - {'root', 'usr', 'home', 'work', 'opt'})")
    )["log"]
    assert log == "GOT ['dev', 'etc', 'gradfree', 'lib', 'lib64', 'proc', 'scratch', 'sys']\n"


def test_attack_user_is_nobody_without_capabilities(sandbox):
    body = """
import resource
ids = {*os.getresuid(), *os.getresgid(), *os.getgroups()}
try: os.setuid(0)
except OSError as error: ids.add(error.errno == 1)
return len(ids - {True}) == 1 and 0 not in ids - {True}, resource.getrlimit(resource.RLIMIT_CORE)
"""
    assert sandbox.solve(hostile(body))["log"] == "GOT (True, (0, 0))\n"


@pytest.mark.parametrize(
    "code",
    [b"\xb8\x14\x00\x00\x00\xcd\x80\xc3", b"\xb8\x27\x00\x00\x40\x0f\x05\xc3"],
    ids=["int-0x80", "x32"],
)
@pytest.mark.parametrize("threaded", [False, True])
def test_attack_foreign_system_call_entry_is_killed(sandbox, code, threaded):
    body = f"""
import mmap, threading
m = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
m.write({code!r})
f = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
if {threaded}:
    t = threading.Thread(target=f); t.start(); t.join()
return f()
"""
    result = sandbox.solve(hostile(body))
    assert result["verdict"] == "SV", result
    assert "GOT" not in result["log"]


def test_attack_thread_bomb_is_bounded(sandbox):
    body = """
import threading
n = 0
try:
    while n < 1000:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); n += 1
except RuntimeError: pass
return n
"""
    log = sandbox.solve(hostile(body))["log"]
    assert log.startswith("GOT ")
    assert 0 < int(log.split()[1]) < 64


def test_attack_filling_scratch_is_bounded(sandbox):
    body = """
n = 0
try:
    with open('f', 'wb', buffering=0) as file:
        while n < 1 << 30: n += file.write(bytes(1 << 20))
except OSError: pass
try:
    with open('g', 'wb', buffering=0) as file:
        while n < 1 << 30: n += file.write(bytes(1 << 20))
except OSError as error: return n, error.errno
"""
    result = sandbox.solve(hostile(body), policy={"scratch_bytes": 8 << 20})
    assert result["log"] == f"GOT ({8 << 20}, 28)\n"


def test_attack_inode_bomb_is_killed(sandbox):
    body = "n = 0\nwhile True:\n    open(str(n), 'w').close(); n += 1"
    result = sandbox.solve(hostile(body))
    assert result["verdict"] == "MLE"
    assert "files" in result["message"]


WIRE = """
sys.path.insert(0, '')
from harness.sandbox.frames import Channel, FrameType, _HEADER
def frame(kind, meta=b'{}', payload=b'', seq=1, magic=b'GFA1', meta_len=None, payload_len=None):
    return _HEADER.pack(magic, kind, 0, 0, seq, len(meta) if meta_len is None else meta_len,
                        len(payload) if payload_len is None else payload_len) + meta + payload
def query(meta): return frame(19, meta)
GOOD_META = b'{"layer":null,"base":null,"split":"train","wording":0,"outputs":[],"arrays":[]}'
"""


@pytest.mark.parametrize(
    "data",
    [
        "b'x' * 24",
        "frame(19, magic=b'EVIL')",
        "frame(99)",
        "frame(16)",  # a second HELLO
        "frame(4)",  # a frame of the harness's own
        "frame(19, seq=7, meta=GOOD_META)",
        "frame(19, meta_len=1 << 31)",
        "frame(19, payload_len=1 << 60)",
        "query(b'[]')",
        "query(b'{')",
        "query(b'\\xff')",
        "query(b'[' * 60000)",
        "query(GOOD_META)",  # no values
        "query(GOOD_META[:-1] + b',\"layer\":1}')",
        "query(GOOD_META[:-1] + b',\"extra\":1}')",
        "query(GOOD_META.replace(b'null', b'NaN'))",
        "query(GOOD_META.replace(b'null', b'9' * 5000))",
        "query(GOOD_META.replace(b'null', b'true'))",
        "query(GOOD_META.replace(b'train', b'\\\\ud800'))",
        'query(GOOD_META.replace(b\'[]}\', b\'[{"name":"values","dtype":"<f4","shape":[-1,1,1]}]}\'))',
        'query(GOOD_META.replace(b\'[]}\', b\'[{"name":"values","dtype":"<f4","shape":[1,1,1]}]}\'))',
        'query(GOOD_META.replace(b\'[]}\', b\'[{"name":"values","dtype":"|O","shape":[0]}]}\'))',
        "frame(19, GOOD_META, b'trailing')",
        'frame(25, b\'{"kind":"infrastructure","message":"","arrays":[]}\')',
    ],
)
def test_attack_malformed_frame_is_protocol_violation(sandbox, data):
    body = f"os.write(3, {data})\ntime.sleep(20)"
    result = sandbox.solve(hostile(body).replace("class S:", WIRE + "\nclass S:"))
    assert result.get("verdict") == "PV", result
    assert result["calls_left"] == 100


def test_attack_truncated_frame_is_not_our_error(sandbox):
    result = sandbox.solve(hostile("os.write(3, b'GFA1')\nos._exit(0)"))
    assert result["verdict"] == "RTE"


def test_attack_closing_the_channel_is_not_our_error(sandbox):
    assert sandbox.solve(hostile("os.close(3)\nos._exit(0)"))["verdict"] == "RTE"


def test_attack_closing_the_channel_and_going_on_is_protocol_violation(sandbox):
    assert sandbox.solve(hostile("os.close(3)\ntime.sleep(60)"))["verdict"] == "PV"


def test_attack_monkeypatched_client_changes_nothing_outside(sandbox):
    body = """
type(self.model)._calls_left = 10 ** 9
self.model._calls_left = 10 ** 9
n = 0
try:
    while True: self.model.query(GOOD); n += 1
except BudgetExhausted: return n
"""
    source = hostile(body).replace(
        "try:\n            print", "self.model = model\n        try:\n            print"
    )
    result = sandbox.solve(source, budget=5)
    assert (result["log"], result["calls_left"]) == ("GOT 5\n", 0)
