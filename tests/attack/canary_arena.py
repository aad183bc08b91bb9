"""An arena full of canaries: everything in it may be opened by anybody, so that only the sandbox guards it."""

import ctypes
import hashlib
import os
import secrets
import socket
import threading
from pathlib import Path

from in_store import write

from harness.metering import Journal
from harness.metering.journal import JournalEntry
from harness.store.paths import ArenaPaths
from harness.store.sealed.store import SealedStore
from harness.store.sealed.teams import ensure_team

_WATCHED = 0x1 | 0x2 | 0x4 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400
"""ACCESS, MODIFY, ATTRIB, OPEN, MOVED, CREATE, DELETE."""


class CanaryArena:
    """Labels, database, ledger and another submission, watched by inotify and by digest."""

    def __init__(self, folder, repository):
        self.token = secrets.token_hex(16)
        self.labels = folder / "labels.tsv"
        self.labels.write_text(f"text\tlabel\n{self.token}\t1\n")
        self.paths = ArenaPaths(folder / "arena")
        with SealedStore.open(self.paths) as store:
            write(store, ensure_team, f"team-{self.token}")
        attempt = self.paths.attempts / "1-1"
        attempt.mkdir()
        self.ledger = attempt / "journal.jsonl"
        with Journal(self.ledger) as journal:
            journal.append(JournalEntry(1, 3, 3))
        with self.ledger.open("a") as journal:
            journal.write(self.token)
        self.other = self.paths.submissions / "other" / "solver.py"
        self.other.parent.mkdir()
        self.other.write_text(f"SECRET = '{self.token}'\n")
        for parent in (folder, *folder.parents[:2]):
            parent.chmod(0o755)
        for path in folder.rglob("*"):
            path.chmod(0o777 if path.is_dir() else 0o666)
        self._folder, self._repository = folder, repository
        self._listeners = _Listeners(folder)
        self._leak = os.open(self.labels, os.O_RDONLY)
        os.set_inheritable(self._leak, True)
        os.environ["GRADFREE_CANARY"] = self.token
        self._before = self._digest()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._watch = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for path in (folder, *folder.rglob("*")):
            if not path.is_socket():
                self._libc.inotify_add_watch(self._watch, os.fsencode(path), _WATCHED)

    def given(self):
        """What an attack is told: more than any participant could find out."""
        return {
            "labels": str(self.labels),
            "arena": str(self.paths.home),
            "database": str(self.paths.sealed_db),
            "ledger": str(self.ledger),
            "other": str(self.other),
            "repository": str(self._repository),
            "token": self.token,
            "port": self._listeners.port,
            "socket": self._listeners.path,
            "abstract": self._listeners.abstract,
        }

    @property
    def leaked_descriptor(self):
        return self._leak

    def was_touched(self):
        """Whether anybody opened, read or changed anything since the last question."""
        try:
            events = os.read(self._watch, 1 << 16)
        except BlockingIOError:
            events = b""
        visitors = self._listeners.take_visitors()
        return bool(events) or visitors > 0

    def is_unchanged(self):
        """Whether every file has the content, mode and place that it had; counts as a touch by itself."""
        same = self._digest() == self._before
        self.was_touched()
        return same

    def _digest(self):
        found = hashlib.sha256()
        for path in sorted(self._folder.rglob("*")):
            found.update(f"{path} {path.lstat().st_mode} {path.lstat().st_uid}\0".encode())
            if path.is_file():
                found.update(path.read_bytes())
        return found.hexdigest()

    def close(self):
        self._listeners.close()
        os.close(self._leak)
        os.close(self._watch)
        del os.environ["GRADFREE_CANARY"]


class _Listeners:
    """A TCP server, a named and an abstract socket on the host that count who came."""

    def __init__(self, folder: Path):
        self.path = str(folder / "docker.sock")
        self.abstract = f"gradfree-attack-{os.getpid()}"
        tcp = socket.create_server(("127.0.0.1", 0))
        self.port = tcp.getsockname()[1]
        named, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        named.bind(self.path)
        abstract.bind("\0" + self.abstract)
        self._servers = [tcp, named, abstract]
        self._visitors = 0
        self._over = threading.Event()
        self._threads = []
        for server in self._servers:
            server.listen()
            server.settimeout(0.1)
            thread = threading.Thread(target=self._accept, args=(server,))
            thread.start()
            self._threads.append(thread)

    def _accept(self, server):
        while not self._over.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            self._visitors += 1
            connection.close()

    def take_visitors(self):
        seen, self._visitors = self._visitors, 0
        return seen

    def close(self):
        self._over.set()
        for thread in self._threads:
            thread.join()
        for server in self._servers:
            server.close()
