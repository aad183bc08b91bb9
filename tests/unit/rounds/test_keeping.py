"""Backups of a living arena, and the sweeper of states that nothing else would leave."""

import stat
import tarfile
from datetime import UTC, datetime

import pytest
from in_store import read, write
from small_round import small_round

from harness.errors import UsageError
from harness.records import RunSummary, Status, Usage, Verdict
from harness.rounds.backup import backup, restore
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.sealed.attempts import finish_run, start_attempt
from harness.store.sealed.claims import claim_run
from harness.store.sealed.queue import sweep
from harness.store.sealed.rounds import add_round, find_round
from harness.store.sealed.schema import SubmissionRow
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import add_submission, get_submission
from harness.store.sealed.teams import ensure_team
from harness.store.values import LeaseLost

NOW = datetime(2026, 11, 1, tzinfo=UTC)
RESULT = RunSummary(Verdict.OK, 70.0, 60.0, Usage(calls=3), NOW, NOW)


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path / "arena")
    with SealedStore.open(paths) as sealed:
        with sealed.write() as tx:
            add_round(tx, small_round(("sst2", "accuracy", 40, (8, 13))))
            row = SubmissionRow(team=ensure_team(tx, "us"), name="cma", digest="b" * 64, path="b" * 64)
            add_submission(tx, find_round(tx, "toy"), row)
        (paths.submissions / ("b" * 64)).mkdir()
        (paths.submissions / ("b" * 64) / "solver.py").write_text("x = 1\n")
        (paths.artifacts / "1-1.json").write_text("{}\n")
        (paths.artifacts / ".2-1.json.77").write_text("half of a res")
        (paths.attempts / "1-1-0123abcd" / "submission").mkdir(parents=True)
        (paths.attempts / "1-1-0123abcd" / "submission" / "solver.log").write_text("their own file")
        (paths.attempts / "1-1-0123abcd" / "solver.log").write_text("what it printed")
        yield paths, sealed


def finish_one(sealed):
    with sealed.write() as tx:
        claim = claim_run(tx, "w", 60)
        finish_run(tx, claim, start_attempt(tx, claim), RESULT)


def test_a_backup_of_a_running_arena_restores_what_had_ended_and_queues_what_ran(arena, tmp_path):
    paths, sealed = arena
    finish_one(sealed)
    running = write(sealed, claim_run, "w", 60)
    attempt = write(sealed, start_attempt, running)
    target = tmp_path / "arena.tar.gz"
    backup(paths, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    write(sealed, finish_run, running, attempt, RESULT)

    again = ArenaPaths(tmp_path / "restored")
    restore(target, again)
    assert stat.S_IMODE(again.home.stat().st_mode) == stat.S_IMODE(paths.home.stat().st_mode)
    assert sorted(path.name for path in again.artifacts.iterdir()) == ["1-1.json"]
    assert (again.submissions / ("b" * 64) / "solver.py").read_text() == "x = 1\n"
    (log,) = [path for path in again.attempts.rglob("*") if path.is_file()]
    assert log.read_text() == "what it printed"
    assert stat.S_IMODE(again.sealed_db.stat().st_mode) == 0o600
    with SealedStore.open(again) as restored:
        runs = read(restored, get_submission, 1).runs
        assert [(run.status, run.score_private) for run in runs] == [(Status.FINISHED, 60.0), (Status.QUEUED, None)]
        with pytest.raises(LeaseLost):
            write(restored, finish_run, running, attempt, RESULT)
        claim = write(restored, claim_run, "w", 60)
        assert (claim.run_id, claim.solver_seed) == (running.run_id, running.solver_seed)
    with PublicStore.open(again.public_db) as public:
        assert public.submission(1).entry.n_runs_done == 1


def test_an_artifact_that_gets_its_name_during_a_backup_does_not_end_it(arena, tmp_path, monkeypatch):
    paths, _ = arena
    look = tarfile.TarFile.gettarinfo

    def moved_meanwhile(archive, name=None, *rest):
        if str(name).endswith(".2-1.json.77"):
            (paths.artifacts / ".2-1.json.77").rename(paths.artifacts / "2-1.json")
        return look(archive, name, *rest)

    monkeypatch.setattr(tarfile.TarFile, "gettarinfo", moved_meanwhile)
    backup(paths, tmp_path / "arena.tar.gz")
    with tarfile.open(tmp_path / "arena.tar.gz") as archive:
        assert "sealed/artifacts/1-1.json" in archive.getnames()


def test_what_a_killed_backup_left_is_removed_by_the_next(arena, tmp_path):
    paths, _ = arena
    left = tmp_path / ".arena.tar.gz.partial"
    left.mkdir()
    (left / "sealed.db").write_text("half of a database")
    backup(paths, tmp_path / "arena.tar.gz")
    assert [path.name for path in tmp_path.glob("*arena.tar.gz*")] == ["arena.tar.gz"]
    restore(tmp_path / "arena.tar.gz", ArenaPaths(tmp_path / "restored"))


def test_backups_and_restores_never_write_over_anything(arena, tmp_path):
    paths, _ = arena
    target = tmp_path / "arena.tar.gz"
    backup(paths, target)
    with pytest.raises(UsageError, match="exists already"):
        backup(paths, target)
    with pytest.raises(UsageError, match="not empty"):
        restore(target, paths)
    with pytest.raises(UsageError, match="is a file, or not empty"):
        restore(target, ArenaPaths(target))
    with pytest.raises(UsageError, match="cannot be made"):
        restore(target, ArenaPaths(target / "below" / "a file"))
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz"):
        pass
    with pytest.raises(UsageError, match="not a backup"):
        restore(tmp_path / "other.tar.gz", ArenaPaths(tmp_path / "new"))
    (tmp_path / "text.tar.gz").write_text("no archive")
    with pytest.raises(UsageError, match="cannot be restored"):
        restore(tmp_path / "text.tar.gz", ArenaPaths(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".new-*"))


def test_a_backup_that_was_cut_off_is_refused_in_words(arena, tmp_path):
    paths, _ = arena
    target = tmp_path / "arena.tar.gz"
    backup(paths, target)
    whole = target.read_bytes()
    target.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="cannot be restored"):
        restore(target, ArenaPaths(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".new-*"))


def test_the_sweeper_mends_what_nothing_else_would_leave(arena):
    _, sealed = arena
    for _ in range(2):
        finish_one(sealed)
    with sealed.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE submissions SET status = 'running', verdict = NULL")
        connection.exec_driver_sql("UPDATE attempts SET ended_at = NULL WHERE id = 1")
    assert write(sealed, sweep) == 2
    submission = read(sealed, get_submission, 1)
    assert (submission.status, submission.verdict) == (Status.FINISHED, Verdict.OK)
    assert write(sealed, sweep) == 0
