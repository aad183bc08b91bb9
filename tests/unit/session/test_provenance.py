"""The code digest identifies what produced a score: another source, another hash."""

import pytest

from harness.session import provenance

PACKAGES = ("api", "config", "engine/native", "metering", "metrics", "sandbox", "session", "tasks", "toy", "cli")
SOURCES = ("records.py", "engine/runner.py", "engine/native/linear.cpp", "engine/native/tiles.h")
OTHERS = ("engine/README.md", "cli/main.py", "errors.py")


@pytest.fixture
def sources(tmp_path, monkeypatch):
    for name in PACKAGES:
        (tmp_path / name).mkdir(parents=True)
    for name in (*SOURCES, *OTHERS):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(provenance, "files", lambda _package: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "is_code"), [*((name, True) for name in SOURCES), *((name, False) for name in OTHERS)]
)
def test_code_digest_changes_with_every_source_of_a_score_and_with_no_other_file(sources, name, is_code):
    before = provenance.code_digest.__wrapped__()
    (sources / name).write_text("changed")
    assert (provenance.code_digest.__wrapped__() != before) is is_code
