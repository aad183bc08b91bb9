"""What produced a score is told by hashes: another source, another hash."""

import pytest

from harness.session import provenance


@pytest.fixture
def sources(tmp_path, monkeypatch):
    (tmp_path / "engine" / "native").mkdir(parents=True)
    for name in ("engine/runner.py", "engine/native/linear.cpp", "engine/native/tiles.h", "engine/README.md"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(provenance, "files", lambda _package: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "is_code"),
    [
        ("engine/runner.py", True),
        ("engine/native/linear.cpp", True),
        ("engine/native/tiles.h", True),
        ("engine/README.md", False),
    ],
)
def test_code_digest_changes_with_every_source_of_a_score(sources, name, is_code):
    before = provenance.code_digest.__wrapped__()
    (sources / name).write_text("changed")
    assert (provenance.code_digest.__wrapped__() != before) is is_code
