"""Read the shared libraries that a file needs from its ELF headers.

`ldd` runs the file's loader and takes 20 ms per file; a scientific environment has hundreds.
"""

import mmap
import os
import struct
from pathlib import Path

__all__ = ["needed_libraries"]

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_DYN = struct.Struct("<qQ")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB = 0, 1, 5
_CLASS_64_LITTLE = b"\x7fELF\x02\x01"


def needed_libraries(path: Path) -> set[str]:
    """Return the file's needed sonames and the path of its program interpreter.

    Empty if the file is not a 64-bit little-endian ELF object.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < _EHDR.size:
            return set()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _needed(data) if data[: len(_CLASS_64_LITTLE)] == _CLASS_64_LITTLE else set()


def _needed(data: mmap.mmap) -> set[str]:
    header = _EHDR.unpack_from(data)
    offset, size, count = header[5], header[9], header[10]
    segments = [_PHDR.unpack_from(data, offset + size * index) for index in range(count)]
    found: set[str] = set()
    loads = [(vaddr, at, length) for kind, _, at, vaddr, _, length, _, _ in segments if kind == _PT_LOAD]
    for kind, _, at, _, _, length, _, _ in segments:
        if kind == _PT_INTERP:
            found.add(_text(data, at))
        elif kind == _PT_DYNAMIC:
            entries = list(_DYN.iter_unpack(data[at : at + length]))
            strings = next((value for tag, value in entries if tag == _DT_STRTAB), None)
            if strings is None:
                continue
            base = next(at + strings - vaddr for vaddr, at, length in loads if vaddr <= strings < vaddr + length)
            found |= {_text(data, base + value) for tag, value in entries if tag == _DT_NEEDED}
    return found


def _text(data: mmap.mmap, at: int) -> str:
    return data[at : data.find(b"\0", at)].decode()
