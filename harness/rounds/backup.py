"""Backup of a running arena, and its restoration."""

import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing, suppress
from pathlib import Path

from harness.errors import InfrastructureError, UsageError
from harness.session.artifact import SOLVER_LOG
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed.queue import take_back_everything
from harness.store.sealed.store import SealedStore

__all__ = ["backup", "restore"]

_SEALED_DB = "sealed.db"
_OWNER_ONLY = 0o600
_OWNER_ALONE = 0o700


def backup(paths: ArenaPaths, target: Path) -> None:
    """Write the sealed store and its files into one archive, atomically, while workers run.

    The database is copied first: the files that it names are on the disk before their rows, so the files copied
    afterwards include them. The public store is derived and left out. The archive contains private scores;
    only its owner can read it.

    Raises:
        UsageError: there is no arena, the target exists, or its folder does not.
        InfrastructureError: the disk or the database failed.
    """
    if not paths.sealed_db.is_file():
        raise UsageError(f"no arena at {paths.home}: sealed.db is missing")
    if target.exists():
        raise UsageError(f"{target} exists already; name another file")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target} cannot be written: there is no folder {target.absolute().parent}")
    # A fixed name beside the target: the next backup removes the rest of a killed one.
    staging = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=_OWNER_ALONE)
        copy, packed = staging / _SEALED_DB, staging / target.name
        with closing(sqlite3.connect(paths.sealed_db)) as source, closing(sqlite3.connect(copy)) as sink:
            source.backup(sink)
        packed.touch(mode=_OWNER_ONLY)
        with tarfile.open(packed, "w:gz") as archive:
            archive.add(copy, _SEALED_DB)
            for part in (paths.submissions, paths.artifacts):
                _add_finished(archive, part)
            # Logs of void attempts exist only here; a worker may delete the oldest meanwhile.
            for log in sorted(paths.attempts.glob(f"*/{SOLVER_LOG}")):
                with suppress(FileNotFoundError):
                    archive.add(log, f"sealed/{paths.attempts.name}/{log.parent.name}/{SOLVER_LOG}")
        packed.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise InfrastructureError(f"the backup failed, nothing was written: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _add_finished(archive: tarfile.TarFile, part: Path) -> None:
    """Add a folder without its unfinished files, whose names start with a dot.

    An unfinished file is not even opened, since it may be renamed at any moment.
    """
    archive.add(part, f"sealed/{part.name}", recursive=False)
    for path in sorted(part.iterdir()):
        if not path.name.startswith("."):
            archive.add(path, f"sealed/{part.name}/{path.name}")


def restore(archive: Path, paths: ArenaPaths) -> None:
    """Create an arena from a backup, atomically; runs in progress at the time of the backup are queued again.

    Raises:
        UsageError: the arena folder is not empty, or the archive is not a backup.
    """
    if not archive.is_file():
        raise UsageError(f"{archive}: no such file")
    if paths.home.exists() and (not paths.home.is_dir() or any(paths.home.iterdir())):
        raise UsageError(f"{paths.home} is a file, or not empty; restore into a new folder: --home FOLDER")
    try:
        paths.home.parent.mkdir(parents=True, exist_ok=True)
        private = Path(tempfile.mkdtemp(prefix=f".{paths.home.name}-", dir=paths.home.parent))
    except OSError as error:
        raise UsageError(
            f"{paths.home} cannot be made: {error.strerror or error}; restore into another folder: --home FOLDER"
        ) from error
    # Inside the private folder, with the usual mode: the board may be served by another user.
    staging = private / paths.home.name
    try:
        staging.mkdir()
        with tarfile.open(archive) as content:
            content.extractall(staging, filter="data")
        if not (staging / _SEALED_DB).is_file():
            raise UsageError(f"{archive} is not a backup of an arena: it has no {_SEALED_DB}")
        staged = ArenaPaths(staging)
        staged.create()
        with SealedStore.open(staged, must_exist=True) as sealed, Publisher.open(staged, sealed) as publisher:
            with sealed.write() as tx:
                take_back_everything(tx, "the arena was restored from a backup")
            publisher.publish()
        if paths.home.exists():
            paths.home.rmdir()
        staging.replace(paths.home)
    except tarfile.ReadError as error:
        raise UsageError(f"{archive} cannot be restored: it is no archive of `gradfree backup`, or damaged") from error
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise UsageError(f"{archive} cannot be restored: {error}") from error
    finally:
        shutil.rmtree(private, ignore_errors=True)
