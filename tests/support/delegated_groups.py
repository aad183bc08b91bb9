"""Folders of control groups for tests: what `GRADFREE_CGROUPS` names, or, as root, one made for the test.

A new, empty folder at the root of a version 1 hierarchy disturbs nobody who manages the others. At
the root of version 2 it would be the same, but there a manager decides which controllers are handed
down, so that folders are used only where they are named.
"""

import contextlib
import os
import time
from pathlib import Path

import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox.host.control_group import ControlGroup, delegated_folders

_ROOT = Path("/sys/fs/cgroup")
_REMOVE_S = 2.0


@contextlib.contextmanager
def delegated_group(controller, owner):
    """Yield a folder in which user number `owner` may limit `controller`; skip, saying why, if there is none."""
    for folder in delegated_folders():
        with contextlib.suppress(SandboxUnavailable):
            group = ControlGroup([folder], memory_bytes=1 << 30, n_tasks=1)
            group.remove()
            if controller in group.controllers and folder.stat().st_uid == owner:
                yield folder
                return
    folder = _ROOT / controller / f"gradfree-tests-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(
            f"NO CONTROL GROUP ({controller}): none in GRADFREE_CGROUPS for user {owner}, and none can "
            f"be made: {error.strerror}: {folder}"
        )
    try:
        for path in (folder, folder / "cgroup.procs"):
            os.chown(path, owner, -1)
        yield folder
    finally:
        _remove(folder)


def _remove(folder):
    """The last process of a group may still be on its way out."""
    deadline = time.monotonic() + _REMOVE_S
    while True:
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
