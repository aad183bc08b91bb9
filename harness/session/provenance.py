"""Provenance of a score: hashes of the code and the packages."""

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable

__all__ = ["code_digest", "package_versions", "packages_digest"]

_SOURCES = (".py", ".cpp", ".h")
"""Suffixes of source files, including the native kernels of the engine."""

_SCORING = ("records.py", "api", "config", "engine", "metering", "metrics", "sandbox", "session", "tasks", "toy")
"""Parts of `harness` that can change a score; edits elsewhere make no score stale."""

_PACKAGES = ("cma", "datasets", "numpy", "scikit-learn", "scipy", "tokenizers", "torch", "transformers")
"""Packages whose version can change a score."""


@cache
def code_digest() -> str:
    """Return the SHA-256 (hex) over the sources that can change a score, in order of their paths."""
    digest = hashlib.sha256()

    def add(entry: Traversable, name: str) -> None:
        if entry.is_dir() and entry.name != "__pycache__":
            for each in sorted(entry.iterdir(), key=lambda item: item.name):
                add(each, f"{name}/{each.name}")
        elif entry.name.endswith(_SOURCES):
            content = entry.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)

    for part in _SCORING:
        add(files("harness") / part, f"harness/{part}")
    return digest.hexdigest()


@cache
def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a score."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    return versions


def packages_digest() -> str:
    """Return the SHA-256 (hex) over `package_versions`."""
    text = "\n".join(f"{name}=={number}" for name, number in sorted(package_versions().items()))
    return hashlib.sha256(text.encode()).hexdigest()
