"""The files of this machine that a solver process may read: interpreter, libraries, listed packages.

Everything in a bound tree is readable, so only these are bound: the interpreter and its standard
library, the packages of the solver's environment with their requirements, and the system libraries
named in the ELF headers of both. The harness's modules and the submission are copied file by file
(`harness.sandbox.host.bwrap`).
"""

import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SandboxUnavailable
from harness.sandbox.host.elf import needed_libraries

__all__ = ["HARNESS_FILES", "SOLVER_PACKAGES", "SolverEnvironment", "solver_environment"]

SOLVER_PACKAGES = ("numpy", "scipy", "cma", "scikit-learn", "torch")
"""The distributions that a submission may import, as far as they are installed."""

HARNESS_FILES = (
    "__init__.py",
    "errors.py",
    "records.py",
    "api/__init__.py",
    "api/blackbox.py",
    "api/losses.py",
    "api/outputs.py",
    "api/projections.py",
    "api/solver.py",
    "api/types.py",
    "sandbox/__init__.py",
    "sandbox/child/__init__.py",
    "sandbox/child/client.py",
    "sandbox/child/kernel.py",
    "sandbox/child/lockdown.py",
    "sandbox/child/runner.py",
    "sandbox/child/selftest.py",
    "sandbox/child/work.py",
    "sandbox/wire/__init__.py",
    "sandbox/wire/arrays.py",
    "sandbox/wire/frames.py",
)
"""All modules of the package `harness` that exist inside, relative to it."""

_NOT_AT_RUN_TIME = ("setuptools",)
"""Required by torch only for building extensions, which needs a compiler."""

_DLOPENED = ("libgcc_s.so.1", "libstdc++.so.6")
"""Loaded by name at run time (pthread_exit, C++ extensions), so not in any header."""

_SHADOWED = frozenset({"site-packages", "dist-packages"})

_NO_OBJECTS = _SHADOWED | {"__pycache__", "include", "tests"}

_USELESS_INSIDE = ("_tkinter", "nis", "readline", "_curses", "_crypt", "_dbm", "_gdbm")
"""Standard modules that need a display, a terminal or a service, and 25 libraries."""


@dataclass(frozen=True, slots=True)
class SolverEnvironment:
    """Host paths to bind read-only.

    Attributes:
        python: the base interpreter's real path (not a virtual environment's link).
        trees: folders and files, bound at the same path.
        hidden: folders inside `trees`, covered by an empty one.
        libraries: system libraries: path used by the loader -> file.
        packages: name below the packages folder -> host path; folders are bound, files copied.
        versions: distribution -> version, and "python" -> sys.version.
    """

    python: Path
    trees: tuple[Path, ...]
    hidden: tuple[Path, ...]
    libraries: dict[str, Path]
    packages: dict[str, Path]
    versions: dict[str, str]


@functools.cache
def solver_environment() -> SolverEnvironment:
    """Return this interpreter's environment; computed once per process.

    Raises:
        SandboxUnavailable: numpy's files or the system's libraries cannot be listed.
    """
    python = Path(os.path.realpath(sys.executable))
    stdlib = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    base = [Path(str(path).replace(sys.prefix, sys.base_prefix, 1)) for path in stdlib]
    trees = list(dict.fromkeys([python, *(path for path in base if path.is_dir())]))
    packages, versions = _packages()
    if "numpy" not in packages:
        msg = "numpy's files are not listed in its metadata; install the project with pip, in a virtual environment"
        raise SandboxUnavailable(msg)
    roots = [*trees, *packages.values()]
    libraries = _libraries(roots)
    # The interpreter's own libpython, not another one of that name from the loader's cache.
    libraries = {place: path for place, path in libraries.items() if "/libpython" not in place}
    own = Path(sysconfig.get_config_var("LIBDIR") or "") / str(sysconfig.get_config_var("INSTSONAME") or "")
    if own.is_file() and own.suffix != ".a":
        trees.append(own)
    hidden = tuple(path / name for path in base for name in sorted(_SHADOWED) if (path / name).is_dir())
    return SolverEnvironment(
        python=python,
        trees=tuple(trees),
        hidden=tuple(dict.fromkeys(hidden)),
        libraries=libraries,
        packages=packages,
        versions={"python": sys.version, **versions},
    )


def _packages() -> tuple[dict[str, Path], dict[str, str]]:
    """Return the files and versions of the installed `SOLVER_PACKAGES` and their requirements.

    Of a distribution's metadata folder only METADATA is included (versions, requirements).
    """
    found: dict[str, Path] = {}
    versions: dict[str, str] = {}
    queue, seen = list(SOLVER_PACKAGES), set(_NOT_AT_RUN_TIME)
    while queue:
        name = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in distribution.files or ():
            top = file.parts[0]
            if top.endswith(".dist-info"):
                dist, _, version = top.removesuffix(".dist-info").partition("-")
                versions[dist] = version
                top += "/METADATA"
            if top not in ("..", "__pycache__", "bin") and not top.endswith(".pth"):
                found[top] = Path(str(distribution.locate_file(top)))
        for requirement in distribution.requires or ():
            if "extra ==" not in requirement:
                queue += re.findall(r"^[A-Za-z0-9._-]+", requirement)
    return {name: path for name, path in sorted(found.items()) if path.exists()}, versions


def _libraries(roots: list[Path]) -> dict[str, Path]:
    """Return the system libraries that the ELF files under `roots` need, directly or not."""
    known = _loader_cache()
    pending = set(_DLOPENED)
    for path in _shared_objects(roots):
        pending |= needed_libraries(path)
    found: dict[str, Path] = {}
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        # A name not in the loader's cache is bundled with the file that needs it, in a bound tree.
        place = name if name.startswith("/") else known.get(name)
        if place is not None:
            found[place] = Path(os.path.realpath(place))
            pending |= needed_libraries(found[place])
    return found


def _shared_objects(roots: list[Path]) -> Iterator[Path]:
    """Yield the files in and below `roots` that may be ELF objects."""
    for root in roots:
        if root.is_file():
            yield root
        for folder, below, names in os.walk(root):
            below[:] = [name for name in below if name not in _NO_OBJECTS]
            for name in names:
                if ".so" in name and not name.startswith(_USELESS_INSIDE):
                    yield Path(folder, name)


def _loader_cache() -> dict[str, str]:
    """Return soname -> path from the dynamic loader's cache."""
    ldconfig = next((path for path in ("/sbin/ldconfig", "/usr/sbin/ldconfig") if Path(path).exists()), None)
    if ldconfig is None:
        msg = f"ldconfig not found: got {platform.platform()}, expected a glibc-based Linux"
        raise SandboxUnavailable(msg)
    listing = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False)
    if listing.returncode:
        msg = f"{ldconfig} -p failed: {listing.stderr.strip()}"
        raise SandboxUnavailable(msg)
    known: dict[str, str] = {}
    for soname, kind, path in re.findall(r"^\s+(\S+) \(([^)]*)\) => (\S+)$", listing.stdout, re.MULTILINE):
        if "x86-64" in kind:
            known.setdefault(soname, path)
    return known
