"""A zip whose members share bytes unpacks to more than it holds."""

import copy
import zipfile

import pytest

from harness.errors import InvalidSubmission
from harness.session.archive import read_zip


def write_zip(path, *, shared):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.py", "x = 1\n" * 100)
        if shared:
            again = copy.copy(archive.infolist()[0])
            again.filename = "b.py"
            archive.filelist.append(again)
            archive.NameToInfo["b.py"] = again
    return path


def test_members_that_share_bytes_are_refused(tmp_path):
    assert set(read_zip(write_zip(tmp_path / "good.zip", shared=False), max_files=9, max_bytes=9999)) == {"a.py"}
    with pytest.raises(InvalidSubmission, match="members overlap"):
        read_zip(write_zip(tmp_path / "bad.zip", shared=True), max_files=9, max_bytes=9999)
