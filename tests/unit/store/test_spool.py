import json
import os
import stat
import threading
import time

import pytest

from harness.errors import UsageError
from harness.store.spool import MAX_UPLOAD_BYTES, SpoolAnswer
from harness.worker.spool_reader import SpoolReader

ZIP = b"PK\x03\x04 and the rest"


@pytest.fixture
def spool(tmp_path):
    return SpoolReader(tmp_path / "spool")


def test_upload_waits_until_it_is_answered(spool):
    number = spool.drop("toy", "secret", ZIP)
    (upload,) = spool.waiting()
    assert (upload.number, upload.round_name, upload.token) == (number, "toy", "secret")
    assert upload.archive.read_bytes() == ZIP
    assert spool.answer_to(number) is None
    spool.settle(upload, SpoolAnswer(7, "queued"))
    assert spool.answer_to(number) == SpoolAnswer(7, "queued")
    assert list(spool.waiting()) == []


def test_uploads_come_in_the_order_of_their_arrival(spool):
    numbers = [spool.drop("toy", str(number), ZIP) for number in range(5)]
    assert [upload.number for upload in spool.waiting()] == numbers


def test_tokens_lie_in_private_folders_and_never_in_an_answer(spool, tmp_path):
    spool.drop("toy", "secret", ZIP)
    (upload,) = spool.waiting()
    assert stat.S_IMODE((tmp_path / "spool" / "uploads").stat().st_mode) == 0o700
    spool.settle(upload, SpoolAnswer(None, "no"))
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("archive", "reason"), [(b"", "not a zip"), (b"#!/bin/sh", "not a zip"), (ZIP + bytes(MAX_UPLOAD_BYTES), "at most")]
)
def test_what_is_no_zip_or_too_large_is_refused_at_once(spool, archive, reason):
    with pytest.raises(UsageError, match=reason):
        spool.drop("toy", "secret", archive)
    assert list(spool.waiting()) == []


def test_token_longer_than_the_intake_reads_is_refused_at_once(spool):
    with pytest.raises(UsageError, match=r"the token has 5,000 characters"):
        spool.drop("toy", "x" * 5000, ZIP)
    number = spool.drop("toy", "x" * 4000, ZIP)
    assert [upload.number for upload in spool.waiting()] == [number]


@pytest.mark.parametrize("number", ["", "x", "../../sealed", "0" * 31, "G" * 32, "0" * 32])
def test_answer_to_an_unknown_number_is_none(spool, number):
    spool.create()
    assert spool.answer_to(number) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"round": 1, "token": "x"}', "{", "[" * 4096])
def test_what_is_no_upload_is_removed(spool, tmp_path, content):
    spool.create()
    folder = tmp_path / "spool" / "uploads" / ("a" * 32)
    folder.mkdir()
    (folder / "request.json").write_text(content)
    (folder / "submission.zip").write_bytes(ZIP)
    assert list(spool.waiting()) == []
    assert not folder.exists()


def test_pipe_in_the_place_of_the_request_is_removed_and_waited_for_by_nobody(spool, tmp_path):
    spool.create()
    folder = tmp_path / "spool" / "uploads" / ("a" * 32)
    folder.mkdir()
    os.mkfifo(folder / "request.json")
    (folder / "submission.zip").write_bytes(ZIP)
    looking = threading.Thread(target=lambda: list(spool.waiting()), daemon=True)
    looking.start()
    looking.join(30)
    assert not looking.is_alive()
    assert not folder.exists()


def test_link_in_the_place_of_the_zip_is_never_followed(spool, tmp_path):
    secret = tmp_path / "sealed.db"
    secret.write_bytes(ZIP)
    spool.create()
    folder = tmp_path / "spool" / "uploads" / ("a" * 32)
    folder.mkdir()
    (folder / "request.json").write_text(json.dumps({"round": "toy", "token": "x"}))
    (folder / "submission.zip").symlink_to(secret)
    assert list(spool.waiting()) == []
    assert secret.exists()


def test_half_written_upload_is_not_seen(spool, tmp_path):
    spool.create()
    (tmp_path / "spool" / "uploads" / f".{'a' * 32}").mkdir()
    assert list(spool.waiting()) == []


def test_full_spool_takes_no_more(spool, monkeypatch):
    monkeypatch.setattr("harness.store.spool._MAX_WAITING", 2)
    for _ in range(2):
        spool.drop("toy", "secret", ZIP)
    with pytest.raises(UsageError, match="too many uploads wait"):
        spool.drop("toy", "secret", ZIP)


def test_what_dead_processes_left_and_old_answers_go_and_nothing_else_does(spool, tmp_path):
    old, new = (spool.drop("toy", "secret", ZIP) for _ in range(2))
    for upload in spool.waiting():
        spool.settle(upload, SpoolAnswer(1, "queued"))
    uploads, answers = tmp_path / "spool" / "uploads", tmp_path / "spool" / "answers"
    waiting = spool.drop("toy", "secret", ZIP)
    for name in (".dead", ".alive"):
        (uploads / name).mkdir()
        (uploads / name / "submission.zip").write_bytes(ZIP)
    for path, hours in ((uploads / ".dead", 2), (uploads / waiting, 2), (answers / f"{old}.json", 31 * 24)):
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    assert [upload.number for upload in spool.waiting()] == [waiting]
    assert {path.name for path in uploads.iterdir()} == {".alive", waiting}
    assert (spool.answer_to(old), spool.answer_to(new)) == (None, SpoolAnswer(1, "queued"))
