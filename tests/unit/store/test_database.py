import dataclasses
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from in_store import write
from small_round import small_round
from sqlalchemy.exc import DatabaseError, OperationalError
from store_steps import enter

from harness.errors import InfrastructureError, UsageError
from harness.store.database import open_read_only, open_to_write, sqlite_url
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.public.publisher import Publisher
from harness.store.public.schema import PUBLIC, PublicBase
from harness.store.sealed.migrate import SEALED, open_migrated
from harness.store.sealed.rounds import add_round
from harness.store.sealed.schema import SealedBase
from harness.store.sealed.seeds import solver_seed
from harness.store.sealed.store import SealedStore
from harness.store.sealed.teams import ensure_team

SCHEMAS = pytest.mark.parametrize("schema", [SEALED, PUBLIC], ids=lambda schema: schema.name)


def test_migrations_from_empty_give_the_sealed_tables_of_the_models(tmp_path):
    engine = open_migrated(sqlite_url(tmp_path / "x.db"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SealedBase.metadata) == []
        assert context.get_current_revision() == SEALED.newest
        connection.exec_driver_sql(
            "INSERT INTO events (at, kind, actor, detail) VALUES ('2026-01-01', 'old', '', '{}')"
        )
        with pytest.raises(DatabaseError, match="append-only"):
            connection.exec_driver_sql("UPDATE events SET kind = 'new'")
        assert connection.exec_driver_sql("SELECT id, turn FROM clock").all() == [(1, 0)]


def test_an_empty_public_store_has_the_tables_of_the_models(tmp_path):
    with open_to_write(PUBLIC, sqlite_url(tmp_path / "x.db")).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, PublicBase.metadata) == []
        assert connection.exec_driver_sql("SELECT format, version FROM meta").all() == [(PUBLIC.newest, 0)]


@SCHEMAS
def test_writer_has_wal_foreign_keys_and_a_busy_timeout(schema, tmp_path):
    with open_to_write(schema, sqlite_url(tmp_path / "x.db")).connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 1, 30_000]


@SCHEMAS
def test_opening_again_keeps_what_is_there(schema, tmp_path):
    url = sqlite_url(tmp_path / "x.db")
    engine = open_to_write(schema, url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE witness (id INTEGER)")
    engine.dispose()
    with open_to_write(schema, url).connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM witness").scalar() == 0


def test_two_processes_may_create_the_store_at_once(tmp_path):
    code = (
        "import sys; from pathlib import Path; from harness.store.paths import ArenaPaths\n"
        "from harness.store.sealed.store import SealedStore\n"
        "from harness.store.sealed.teams import ensure_team\n"
        "with SealedStore.open(ArenaPaths(Path(sys.argv[1]))).write() as tx: ensure_team(tx, 'x')"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "arena")]) for _ in range(2)]
    assert [process.wait(60) for process in started] == [0, 0]


def test_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "x.db"
    path.write_text("not a database, " * 100)
    for opening in (lambda: open_migrated(sqlite_url(path)), lambda: open_read_only(PUBLIC, path)):
        with pytest.raises(UsageError, match="not a database"):
            opening()
    assert path.read_text() == "not a database, " * 100


@SCHEMAS
def test_database_of_another_program_is_refused_and_unchanged(schema, tmp_path):
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    for opening in (lambda: open_to_write(schema, sqlite_url(path)), lambda: open_read_only(schema, path)):
        with pytest.raises(UsageError, match="another program"):
            opening()
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert tables == [("recipes",)]


def test_another_program_that_has_a_table_of_our_name_is_refused_too(tmp_path):
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE meta (id INTEGER)")
    with pytest.raises(UsageError, match="another program"):
        open_to_write(PUBLIC, sqlite_url(path))


def test_newer_sealed_database_is_refused_and_unchanged(tmp_path):
    path = tmp_path / "x.db"
    open_migrated(sqlite_url(path)).dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'sealed_9999'")
    with pytest.raises(UsageError, match=r"sealed_9999, which this version of gradfree does not know"):
        open_migrated(sqlite_url(path))
    with pytest.raises(UsageError, match="sealed_9999"):
        open_read_only(SEALED, path)


@pytest.fixture
def published(tmp_path):
    """An arena whose board shows one submission, at version 1."""
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        write(sealed, add_round, small_round())
        write(sealed, ensure_team, "Lynx")
        enter(sealed, "Lynx", "cma")
        assert publisher.publish() == 1
    return paths


def solvers(public):
    return [entry.solver for entry in public.board("toy").entries]


def reformat(paths, new_format):
    with closing(sqlite3.connect(paths.public_db)) as connection, connection:
        connection.execute("UPDATE meta SET format = ?", (new_format,))


@pytest.mark.parametrize("other", ["0", "9999"])
def test_a_board_of_another_format_is_rebuilt_inside_one_publish(published, other):
    """Readers keep the old board until the new one is whole, and the version number goes on."""
    with PublicStore.open(published.public_db) as public:
        before = public.board("toy")
        reformat(published, other)
        with SealedStore.open(published) as sealed, Publisher.open(published, sealed) as publisher:
            assert (solvers(public), public.version()) == (["cma"], 1)
            assert publisher.publish() == 2
            assert publisher.publish() == 2
        assert dataclasses.replace(public.board("toy"), version=1) == before
    with closing(sqlite3.connect(published.public_db)) as connection:
        assert connection.execute("SELECT format, version FROM meta").fetchall() == [(PUBLIC.newest, 2)]


def test_a_rebuild_that_fails_leaves_the_old_board(published, monkeypatch):
    reformat(published, "0")

    def power_cut(*_):
        raise KeyboardInterrupt

    with SealedStore.open(published) as sealed, Publisher.open(published, sealed) as publisher:
        with monkeypatch.context() as dying:
            dying.setattr("harness.store.public.publisher.place_entries", power_cut)
            with pytest.raises(KeyboardInterrupt):
                publisher.publish()
        with closing(sqlite3.connect(published.public_db)) as connection:
            assert connection.execute("SELECT format, version FROM meta").fetchall() == [("0", 1)]
            assert connection.execute("SELECT solver FROM entries").fetchall() == [("cma",)]
        assert publisher.publish() == 2
    with PublicStore.open(published.public_db) as public:
        assert solvers(public) == ["cma"]


def test_a_reader_refuses_another_format_and_names_what_builds_it_anew(published):
    reformat(published, "9999")
    with pytest.raises(UsageError, match=r"has schema 9999, expected .* builds it anew"):
        PublicStore.open(published.public_db)


def test_a_board_from_before_formats_were_numbered_is_rebuilt(published):
    with closing(sqlite3.connect(published.public_db)) as connection, connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            connection.execute(f"DROP TABLE {table}")
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("CREATE TABLE meta (id INTEGER PRIMARY KEY, version INTEGER, published_at TEXT)")
        connection.execute("INSERT INTO meta VALUES (1, 41, '2026-01-01')")
        connection.execute("CREATE TABLE entries (submission_id INTEGER PRIMARY KEY, name TEXT)")
    with SealedStore.open(published) as sealed, Publisher.open(published, sealed) as publisher:
        assert publisher.publish() == 42
    with PublicStore.open(published.public_db) as public:
        assert (solvers(public), public.version()) == (["cma"], 42)


def test_sealed_store_in_place_of_the_public_one_is_refused(tmp_path):
    path = tmp_path / "x.db"
    open_migrated(sqlite_url(path)).dispose()
    for opening in (lambda: open_to_write(PUBLIC, sqlite_url(path)), lambda: open_read_only(PUBLIC, path)):
        with pytest.raises(UsageError, match="expected a public store"):
            opening()


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
                write(sealed, add_round, small_round())
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
    code = "import sys, harness.store.public.publisher; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_failure_of_the_database_is_a_platform_error(tmp_path):
    paths = ArenaPaths(tmp_path)
    with SealedStore.open(paths) as sealed:
        with sqlite3.connect(paths.sealed_db) as connection:
            connection.execute("DROP TABLE teams")
        with pytest.raises(InfrastructureError, match="the sealed store failed: no such table: teams"):
            write(sealed, ensure_team, "x")
