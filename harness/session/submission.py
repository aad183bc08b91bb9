"""A submission: `solver.toml` and Python files from a folder or a zip; its code is never imported here."""

import hashlib
import os
import re
import reprlib
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from harness.api import API_VERSION
from harness.config import Params, ParamsByName
from harness.errors import InvalidSubmission, UsageError
from harness.sandbox.host.snapshot import read_regular, refuse_links
from harness.session.archive import read_zip, without_wrapper

__all__ = ["MANIFEST", "MAX_FILES", "NAME_RULE", "Manifest", "Submission", "is_solver_name", "read_submission"]

MANIFEST = "solver.toml"
MAX_FILES = 200
MAX_DEPTH = 4
MANIFEST_MAX_BYTES = 8192
"""The TOML parser takes time quadratic in the length of a dotted key."""
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_IGNORED = frozenset({"__pycache__", "__MACOSX", "node_modules"})
_SHOWN_CHARS, _SHOWN_PROBLEMS = 300, 20
_NO_CONTROLS = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$"
"""Excludes terminal control characters and changes of text direction."""


_NAME = r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,59}$"
NAME_RULE = "letters, digits, spaces and _ . -, at most 60, a letter or a digit first"
"""Rule for the name of a solver, as shown in errors."""

_PLAIN = {"missing": "missing (required)", "extra_forbidden": "unknown key, remove it or correct its name"}
_TYPES = {"dict_type": "a table", "string_type": "text"}
_FORMS = {"name": NAME_RULE, "entry": '"MODULE:CLASS", for instance "solver:MySolver"'}


class Manifest(BaseModel):
    """`solver.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(pattern=_NAME)]
    entry: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
    description: Annotated[str, StringConstraints(max_length=500, pattern=_NO_CONTROLS)] = ""
    params: Params = Field(default_factory=dict)
    rounds: ParamsByName = Field(default_factory=dict)
    """`[rounds.NAME]`: parameters for the round of that name, in place of `params`."""
    api: str = API_VERSION


@dataclass(frozen=True, slots=True)
class Submission:
    """A checked, content-addressed submission.

    Attributes:
        manifest: the parsed `solver.toml`.
        files: relative POSIX path -> content.
        digest: SHA-256 (hex) over names and contents.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    digest: str

    def write_to(self, folder: Path) -> Path:
        """Write the files to `folder/<digest>` unless it exists; return that path.

        The folder appears atomically and is mounted in the sandbox: it contains the checked files only.
        """
        target = folder / self.digest
        if target.is_dir():
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".staging-", dir=folder) as staging:
            whole = Path(staging) / self.digest
            for name, content in self.files.items():
                path = whole / name
                path.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
                with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
                    file.write(content)
            try:
                whole.rename(target)
            except OSError:
                # Another process wrote the same content first.
                if not target.is_dir():
                    raise
        return target


def is_solver_name(name: str) -> bool:
    """Return whether `name` is a valid name of a solver."""
    return re.fullmatch(_NAME, name) is not None


def read_submission(path: Path, max_bytes: int) -> Submission:
    """Read and check a submission.

    Args:
        path: a folder or a zip; in a zip, one wrapping folder is accepted.
        max_bytes: largest unpacked size.

    Raises:
        UsageError: the path does not exist.
        InvalidSubmission: the files are not acceptable; the message states what to change.
    """
    if path.is_dir():
        files = _read_folder(path, max_bytes)
    elif path.is_file():
        packed = read_zip(path, max_files=MAX_FILES, max_bytes=max_bytes)
        files = without_wrapper({name: content for name, content in packed.items() if _is_kept(name)})
    else:
        raise UsageError(f"{path}: no such folder or zip")
    _check_names(files)
    manifest = _read_manifest(files)
    module = manifest.entry.partition(":")[0].replace(".", "/")
    if not any(name in files for name in (f"{module}.py", f"{module}/__init__.py")):
        hint = "; write the module without .py" if module.endswith("/py") else ""
        raise InvalidSubmission(
            f"{MANIFEST}: entry {manifest.entry!r} needs the file {module}.py; there is {', '.join(sorted(files))}"
            + hint
        )
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return Submission(manifest, files, digest.hexdigest())


def _is_kept(name: str) -> bool:
    """Return whether a path belongs to a submission: not hidden and not in a cache."""
    return not any(part in _IGNORED or part.startswith(".") for part in name.split("/") if part != "..")


def _read_folder(root: Path, max_bytes: int) -> dict[str, bytes]:
    """Return the files of a folder without hidden files and caches; refuse links."""
    files: dict[str, bytes] = {}
    left = max_bytes
    for folder, folders, names, folder_fd in os.fwalk(root):
        folders[:] = sorted(filter(_is_kept, folders))
        refuse_links(folders, folder_fd=folder_fd)
        for name in sorted(names):
            relative = (Path(folder) / name).relative_to(root).as_posix()
            if not _is_kept(relative):
                continue
            files[relative] = read_regular(name, at_most=left, folder_fd=folder_fd)
            left -= len(files[relative])
            if left < 0 or len(files) > MAX_FILES:
                raise InvalidSubmission(
                    f"{root.resolve().name}: more than "
                    + (f"{max_bytes} bytes" if left < 0 else f"{MAX_FILES} files")
                    + "; a submission is code, not weights"
                )
    return files


def _check_names(files: Mapping[str, bytes]) -> None:
    for name in files:
        parts = PurePosixPath(name).parts
        if len(parts) > MAX_DEPTH or not all(_PART.fullmatch(part) for part in parts):
            raise InvalidSubmission(
                f"{name!r}: file names are letters, digits, '_', '-' and '.', at most {MAX_DEPTH} levels deep"
            )
    folded: dict[str, str] = {}
    for name in files:
        other = folded.setdefault(name.lower(), name)
        if other != name:
            raise InvalidSubmission(f"{name!r} and {other!r} differ in case alone")
    for name in files:
        for parent in PurePosixPath(name.lower()).parents:
            if str(parent) in folded:
                raise InvalidSubmission(f"{folded[str(parent)]!r} is a file and the folder of {name!r} at once")


def _read_manifest(files: Mapping[str, bytes]) -> Manifest:
    """Parse `solver.toml`, reporting every bad field."""
    if MANIFEST not in files:
        nested = [name for name in files if name.endswith(f"/{MANIFEST}")]
        hint = f"; it lies at {nested[0]}: submit that folder" if nested else ""
        raise InvalidSubmission(f"no {MANIFEST} at the top{hint}. `gradfree new NAME` writes a template")
    if len(files[MANIFEST]) > MANIFEST_MAX_BYTES:
        raise InvalidSubmission(f"{MANIFEST}: {len(files[MANIFEST])} bytes, at most {MANIFEST_MAX_BYTES}")
    try:
        content = tomllib.loads(files[MANIFEST].decode("utf-8-sig"))
    # `ValueError` includes integers too long for `int`; `RecursionError` comes from deep nesting.
    except (ValueError, RecursionError) as error:
        raise InvalidSubmission(f"{MANIFEST}: not valid TOML: {error}") from error
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))[:_SHOWN_CHARS]}: "
            + (_PLAIN.get(problem["type"]) or f"{_expected(problem)[:_SHOWN_CHARS]}, got {_shown(problem['input'])}")
            for problem in error.errors()[:_SHOWN_PROBLEMS]
        )
        raise InvalidSubmission(f"{MANIFEST}: {problems}") from error
    if manifest.api != API_VERSION:
        raise InvalidSubmission(f"{MANIFEST}: api = {manifest.api!r}; expected {API_VERSION!r}")
    return manifest


def _expected(problem: Any) -> str:
    """Return the expected content of a bad field."""
    known = _TYPES.get(problem["type"])
    form = _FORMS.get(problem["loc"][0], known) if problem["type"] == "string_pattern_mismatch" else known
    return str(problem["msg"]).removeprefix("Value error, ") if form is None else f"expected {form}"


def _shown(value: object) -> str:
    """Return a short text for any value that TOML can hold."""
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return f"a {type(value).__name__} too long to show"
