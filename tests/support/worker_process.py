"""A worker in a process of its own, whose family is watched, and whose network can be cut."""

import subprocess
import sys
import time
from pathlib import Path

__all__ = ["alive", "descendants", "start_worker", "wait_for_queries", "wait_until"]

_WORKER = """
import sys
from pathlib import Path
from harness.cli.options import stores
from harness.sandbox import require_mode
from harness.worker.worker import Worker
with stores(Path(sys.argv[1])) as (paths, sealed, publisher):
    Worker(sealed, publisher, paths, require_mode(), lease_s=3.0).run_until_idle()
"""

_NETWORK = """
import ctypes, fcntl, os, socket, struct, sys, threading, time
from pathlib import Path
def switch(flags):
    with socket.socket() as plug:
        fcntl.ioctl(plug, 0x8914, struct.pack("16sH14x", b"lo", flags))  # SIOCSIFFLAGS
def reach(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return "cut"
    return "reached"
libc, uid, gid = ctypes.CDLL(None, use_errno=True), os.geteuid(), os.getegid()
if libc.unshare(0x4000_0000 | (0x1000_0000 if uid else 0)):  # a network, and a user namespace to own it
    sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")
if uid:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
switch(1)
server = socket.create_server(("127.0.0.1", 0))
port, found = server.getsockname()[1], Path(sys.argv[2])
found.with_suffix(".before").write_text(reach(port))
def cut():
    while not found.with_suffix(".order").exists():
        time.sleep(0.02)
    switch(0)
    found.with_suffix(".after").write_text(reach(port))
threading.Thread(target=cut, daemon=True).start()
"""
"""A network of its own with the loopback up; taken down when the file ARGV[2].order appears."""


def start_worker(home, network=None):
    """Start a worker that ends when the queue is empty; `network` names the files of one that can be cut."""
    code, arguments = _WORKER, [str(home)]
    if network is not None:
        code, arguments = _NETWORK + _WORKER, [str(home), str(network)]
    # A process group of its own, so that the test can say that nothing of it survives.
    return subprocess.Popen([sys.executable, "-c", code, *arguments], start_new_session=True)


def wait_until(condition, process, seconds=120):
    """Wait for something to come true while the worker runs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the worker ended by itself"
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


def wait_for_queries(home, n_lines, process):
    """Wait until an attempt has journalled so many queries."""

    def journalled():
        journals = (home / "sealed" / "attempts").glob("*/journal.jsonl")
        return any(len(path.read_text().splitlines()) >= n_lines for path in journals)

    wait_until(journalled, process)


def descendants(pid):
    """Process numbers below a process, from the kernel's list of children; a parent before its children."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = children.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread ended meanwhile
        for child in map(int, below):
            found += [child, *descendants(child)]
    return found


def alive(pids):
    """Those that still exist."""
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]
