"""Read an untrusted zip in memory; every member is checked before it is unpacked."""

import stat
import struct
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path, PurePosixPath

from harness.errors import InvalidSubmission

__all__ = ["read_zip", "without_wrapper"]

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OVERHEAD_BYTES = 2048
"""Upper bound of headers, name and directory entry per file."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, NotImplementedError, RuntimeError)
"""Errors that `zipfile` raises on malformed bytes."""


def read_zip(path: Path, *, max_files: int, max_bytes: int) -> dict[str, bytes]:
    """Return the archive's files by name.

    Args:
        path: the archive.
        max_files: largest number of files.
        max_bytes: largest unpacked size in total.

    Raises:
        InvalidSubmission: not a zip, or a member is encrypted, a link, too large, a duplicate, overlaps
            another one, or has an unacceptable name or compression method.
    """
    # `zipfile` reads the whole directory at once, which may list millions of entries: bound the size first.
    largest = max_bytes + max_files * _OVERHEAD_BYTES
    if path.stat().st_size > largest:
        raise InvalidSubmission(f"{path.name}: larger than {largest} bytes packed")
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len(infos) > 2 * max_files:
                raise InvalidSubmission(f"{path.name}: {len(infos)} members, at most {max_files} files")
            _check_overlap(path, infos)
            left = max_bytes
            for info in infos:
                if info.is_dir():
                    continue
                _check_member(info)
                if info.filename in files:
                    raise InvalidSubmission(f"{info.filename!r} is in the zip twice")
                # The stated size is untrusted: read one byte more than allowed.
                with archive.open(info) as member:
                    content = member.read(left + 1)
                left -= len(content)
                if left < 0 or len(files) >= max_files:
                    raise InvalidSubmission(f"{path.name}: unpacks to more than {max_bytes} bytes or {max_files} files")
                files[info.filename] = content
    except (*_DAMAGE, OSError, ValueError) as error:
        raise InvalidSubmission(f"{path.name}: not a readable zip: {error}") from error
    return files


def _check_member(info: zipfile.ZipInfo) -> None:
    name = info.filename
    path = PurePosixPath(name)
    if (
        not name.isascii()
        or not name.isprintable()
        or "\\" in name
        or path.is_absolute()
        or ".." in path.parts
        or str(path) != name
    ):
        raise InvalidSubmission(f"{name!r}: not a plain relative file name")
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise InvalidSubmission(f"{name!r}: links and special files are not accepted")
    if info.flag_bits & 0x1:
        raise InvalidSubmission(f"{name!r}: encrypted members are not accepted")
    if info.compress_type not in _METHODS:
        raise InvalidSubmission(f"{name!r}: compression method {info.compress_type}; use stored or deflated")


def _check_overlap(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Refuse members that share bytes, as in a zip bomb."""
    spans = sorted((info.header_offset, info.header_offset + 30 + info.compress_size) for info in infos)
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise InvalidSubmission(f"{path.name}: members overlap")


def without_wrapper(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files without the single top folder that many archivers add."""
    tops = {name.partition("/")[0] for name in files}
    if len(tops) != 1 or any("/" not in name for name in files):
        return files
    return {name.partition("/")[2]: content for name, content in files.items()}
