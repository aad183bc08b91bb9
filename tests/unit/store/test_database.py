import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.exc import DatabaseError, OperationalError

from harness.errors import InfrastructureError, UsageError
from harness.store import ArenaPaths, PublicStore, Publisher, RoundFacts, SealedStore, TaskFacts
from harness.store.database import PUBLIC, SEALED, open_database, open_read_only, sqlite_url, upgrade
from harness.store.sealed.seeds import solver_seed

SCHEMAS = pytest.mark.parametrize("schema", [SEALED, PUBLIC], ids=lambda schema: schema.name)


@SCHEMAS
def test_migrations_from_empty_give_the_tables_of_the_models(schema, tmp_path):
    engine = open_database(schema, sqlite_url(tmp_path / "x.db"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        assert context.get_current_revision() == schema.head


@SCHEMAS
def test_writer_has_wal_foreign_keys_and_a_busy_timeout(schema, tmp_path):
    with open_database(schema, sqlite_url(tmp_path / "x.db")).connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 1, 30_000]


@SCHEMAS
def test_opening_again_keeps_what_is_there(schema, tmp_path):
    url = sqlite_url(tmp_path / "x.db")
    engine = open_database(schema, url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE witness (id INTEGER)")
    engine.dispose()
    with open_database(schema, url).connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM witness").scalar() == 0


def test_two_processes_may_create_the_store_at_once(tmp_path):
    code = (
        "import sys; from pathlib import Path; from harness.store import *;"
        "SealedStore.open(ArenaPaths(Path(sys.argv[1]))).ensure_team('x')"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "arena")]) for _ in range(2)]
    assert [process.wait(60) for process in started] == [0, 0]


def test_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "x.db"
    path.write_text("not a database, " * 100)
    for opening in (lambda: open_database(SEALED, sqlite_url(path)), lambda: open_read_only(PUBLIC, path)):
        with pytest.raises(UsageError, match="not a database"):
            opening()
    assert path.read_text() == "not a database, " * 100


def test_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    with pytest.raises(UsageError, match="another program"):
        open_database(SEALED, sqlite_url(path))


def test_newer_database_is_refused_and_unchanged(tmp_path):
    path = tmp_path / "x.db"
    open_database(PUBLIC, sqlite_url(path)).dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'public_9999'")
    with pytest.raises(UsageError, match=r"public_9999, newer .* update gradfree-arena"):
        open_database(PUBLIC, sqlite_url(path))
    with pytest.raises(UsageError, match="newer"):
        open_read_only(PUBLIC, path)


def test_sealed_store_in_place_of_the_public_one_is_refused(tmp_path):
    path = tmp_path / "x.db"
    open_database(SEALED, sqlite_url(path)).dispose()
    with pytest.raises(UsageError, match="expected a public store"):
        open_read_only(PUBLIC, path)


def test_missing_store_is_refused_where_it_must_exist(tmp_path):
    with pytest.raises(UsageError, match=r"public\.db: the file is missing"):
        PublicStore.open(tmp_path / "public.db")
    with pytest.raises(UsageError, match=r"sealed\.db is missing"):
        SealedStore.open(ArenaPaths(tmp_path / "arena"), must_exist=True)
    assert list(tmp_path.iterdir()) == []


def test_public_store_open_for_reading_cannot_be_written(tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        publisher.publish()
    engine = open_read_only(PUBLIC, paths.public_db)
    with engine.connect() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.exec_driver_sql("UPDATE meta SET version = 99")
    assert PublicStore.open(paths.public_db).version() == 1


def test_public_store_is_read_by_a_user_who_may_write_nothing_whether_or_not_somebody_writes():
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    # Not below a folder of the tests: only their owner may enter those.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        paths = ArenaPaths(Path(folder))
        with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
            publisher.publish()
        assert list(paths.home.glob("public.db-*")) == []
        asked, asking = os.pipe()
        answered, answering = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(asking)
            os.close(answered)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            try:
                with PublicStore.open(paths.public_db) as public:
                    while os.read(asked, 1) == b"?":
                        os.write(answering, b"%d" % len(public.rounds()))
            finally:
                os._exit(0)
        os.close(asked)
        os.close(answering)

        def n_rounds():
            os.write(asking, b"?")
            return os.read(answered, 1)

        try:
            assert n_rounds() == b"0"
            with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
                write(sealed, add_round, 
                    RoundFacts("toy", "1.0", "a" * 64, "{}", (TaskFacts("sst2", "accuracy", 3, (8,)),))
                )
                publisher.publish()
                assert paths.public_db.with_name("public.db-wal").exists()
                assert n_rounds() == b"1"
            assert n_rounds() == b"1"
        finally:
            os.close(asking)
            os.waitpid(pid, 0)


def test_what_is_sealed_can_be_read_by_its_owner_alone(tmp_path):
    paths = ArenaPaths(tmp_path / "arena")
    with SealedStore.open(paths) as sealed:
        write(sealed, ensure_team, "x")
        beside = list(paths.home.glob("sealed.db*"))
        assert len(beside) > 1
        assert {stat.S_IMODE(path.stat().st_mode) for path in beside} == {0o600}
    folders = [paths.sealed, paths.submissions, paths.artifacts, paths.attempts]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_folder_that_cannot_be_made_is_a_usage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="choose another one"):
        SealedStore.open(ArenaPaths(tmp_path / "file" / "arena"))


def test_solver_seed_is_stable_never_zero_and_differs_by_run():
    seeds = {solver_seed(digest, task, k) for digest in "ab" for task in ("x", "y") for k in range(50)}
    assert len(seeds) == 200
    assert all(1 <= seed < 2**31 for seed in seeds)
    assert solver_seed("a", "x", 8) == 2066425077


def test_importing_the_store_loads_no_scikit_learn():
    code = "import sys, harness.store; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_failure_of_the_database_is_ours(tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed:
        with sqlite3.connect(paths.sealed_db) as connection:
            connection.execute("DROP TABLE teams")
        with pytest.raises(InfrastructureError, match="the sealed store failed: no such table: teams"):
            write(sealed, ensure_team, "x")


def test_a_store_of_the_first_schema_is_upgraded_with_its_rows(tmp_path):
    path = tmp_path / "sealed.db"
    engine = create_engine(sqlite_url(path))
    with engine.begin() as connection:
        upgrade(connection, SEALED, "sealed_0001")
        for statement in FIRST_ROWS:
            connection.exec_driver_sql(statement)
    engine.dispose()
    with open_database(SEALED, sqlite_url(path)).connect() as connection:
        assert connection.exec_driver_sql("SELECT score_public, hold_reason, turn FROM runs").all() == [
            (70.0, "", 0)
        ]
        assert connection.exec_driver_sql("SELECT charged_at IS NOT NULL, repeat FROM submissions").all() == [
            (1, 0)
        ]
        assert connection.exec_driver_sql(
            "SELECT length(secret), scores_from, revision FROM rounds"
        ).all() == [(64, "open", 2)]
        assert connection.exec_driver_sql("SELECT kind, actor FROM events").all() == [("old", "")]
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        with pytest.raises(DatabaseError, match="append-only"):
            connection.exec_driver_sql("UPDATE events SET kind = 'new'")


FIRST_ROWS = (
    "INSERT INTO rounds VALUES (1, 'toy', '1.0', 'd', 't', '{}', 'Force_Best', 'open', NULL, NULL, '2026-01-01', 1)",
    "INSERT INTO teams VALUES (1, 'us', 0, '2026-01-01')",
    "INSERT INTO tasks VALUES (1, 1, 0, 'sst2', 'accuracy', 10, '[8]', 1)",
    (
        "INSERT INTO submissions VALUES "
        "(1, 1, 1, 'cma', '', 'b', 'b', 0, 0, 'finished', 'OK', '2026-01-01', '2026-01-01', 1)"
    ),
    (
        "INSERT INTO runs (id, submission_id, task_id, kshot_seed, solver_seed, status, is_held, priority, claim_number, "
        "n_lost_leases, n_internal_errors, is_checkpoint, score_public, calls, message, artifact_path, artifact_sha256, "
        "is_official) VALUES (1, 1, 1, 8, 5, 'finished', 0, 0, 1, 0, 0, 0, 70.0, 3, '', '', '', 1)"
    ),
    "INSERT INTO events VALUES (1, '2026-01-01', 'old', 1, 1, NULL, NULL, '{}')",
)
