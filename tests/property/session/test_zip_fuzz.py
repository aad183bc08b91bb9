"""2,000 mutated zips: a submission or `InvalidSubmission`, within bounds of memory. Seeded."""

import io
import random
import resource
import stat
import struct
import zipfile

import pytest

from harness.errors import InvalidSubmission
from harness.session.submission import read_submission

N_ZIPS = 2_000
SEED = 20261121
LIMIT = 1 << 16
NAMES = (
    *("solver.py", "Solver.py", "a/b/c/d/e.py", "../x.py", "/etc/passwd", "a\\b.py", "ü.py", "x\x00.py", ""),
    *("a/", "solver.py/x", ".hidden", "con.py", "a" * 300, "./solver.py", "a//b.py", "C:/x.py", "solver.toml"),
)
MANIFESTS = (
    b'name = "mine"\nentry = "solver:Mine"\n',
    b"name = ",
    b"\xff\xfe",
    b"[params]\nx = " + b"[" * 3000,
    b"[params]\nx = " + b"9" * 5000,
    b'name = "mine"\nentry = "solver:Mine"\n[params]\nx = nan\n',
    b'name = "mine"\nentry = "solver:Mine"\n[params]\nx = 0x' + b"f" * 6000,
    b'name = "mine"\nentry = "solver:Mine"\n[params]\n' + b"a." * 3000 + b"b = 1",
)


def _build(rng):
    """A zip that is nearly right."""
    held = io.BytesIO()
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
    with zipfile.ZipFile(held, "w", method) as archive:
        manifest = MANIFESTS[0] if rng.random() < 0.7 else rng.choice(MANIFESTS)
        archive.writestr("solver.toml", manifest)
        archive.writestr("solver.py", b"class Mine: ...\n" * rng.choice([1, 100]))
        for _ in range(rng.choice([0, 0, 1, 3])):
            info = zipfile.ZipInfo(rng.choice(NAMES))
            kind = rng.choice([stat.S_IFREG, stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR])
            info.external_attr = (kind | 0o644) << 16
            info.compress_type = method
            archive.writestr(info, bytes(rng.choice([0, 10, 1 << 17])))
        if rng.random() < 0.01:
            archive.writestr("bomb.py", bytes(8 << 20))
    return held.getvalue()


def _mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([0, 1, 1, 2, 10])):
        kind, at = rng.randrange(5), rng.randrange(len(data))
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at : at + 4] = struct.pack("<I", rng.choice([0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]))
        elif kind == 2:
            del data[at : at + rng.choice([1, 10, 500])]
        elif kind == 3:
            data[at:at] = data[: rng.choice([10, 100, len(data)])]
        else:
            # The end of the archive, where the reader starts.
            end = max(0, len(data) - rng.randrange(1, 60))
            data[end : end + 2] = rng.randbytes(2)
        if not data:
            data += b"x"
    return bytes(data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_any_zip_is_read_or_refused(tmp_path):
    rng = random.Random(SEED)
    path = tmp_path / "fuzzed.zip"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = refused = longest = 0
    for _ in range(N_ZIPS):
        path.write_bytes(_mutate(rng, _build(rng)))
        try:
            submission = read_submission(path, LIMIT)
        except InvalidSubmission as error:
            refused += 1
            longest = max(longest, len(str(error)))
        else:
            read += 1
            assert sum(map(len, submission.files.values())) <= LIMIT
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert min(read, refused) > N_ZIPS // 20, (read, refused)
    assert longest < 20_000, "characters of one message"
    assert grown < 300 * 1024, f"{grown} KiB more memory"
