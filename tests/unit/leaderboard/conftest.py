import shutil
import sys
from pathlib import Path

import pytest
from sample_arena import build_sample_arena, publish_sample_arena
from streamlit.testing.v1 import AppTest

import leaderboard
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from leaderboard.launch import PUBLIC_DB_VARIABLE

APP = str(Path(leaderboard.__file__).parent / "app.py")


@pytest.fixture(scope="session")
def sample_paths(tmp_path_factory):
    """A sample arena that no test changes: five teams, four baselines, and every other state."""
    paths = ArenaPaths(tmp_path_factory.mktemp("arena"))
    build_sample_arena(paths, n_teams=5, kshot_seeds=(8, 13))
    return paths


@pytest.fixture(scope="session")
def sample_db(sample_paths):
    return sample_paths.public_db


@pytest.fixture(scope="session")
def published_paths(sample_paths, tmp_path_factory):
    """The sample arena after publication."""
    paths = ArenaPaths(tmp_path_factory.mktemp("published") / "arena")
    shutil.copytree(sample_paths.home, paths.home)
    publish_sample_arena(paths)
    return paths


@pytest.fixture(scope="session")
def published_db(published_paths):
    return published_paths.public_db


@pytest.fixture(scope="session")
def sample_store(sample_db):
    with PublicStore.open(sample_db) as store:
        yield store


@pytest.fixture(scope="session")
def sample_board(sample_store):
    return sample_store.board("sample")


@pytest.fixture
def open_app(monkeypatch):
    def opening(public_db, page=None, /, **parameters):
        monkeypatch.setattr(sys, "argv", ["streamlit"])
        monkeypatch.setenv(PUBLIC_DB_VARIABLE, str(public_db))
        app = AppTest.from_file(APP, default_timeout=30)
        for name, value in parameters.items():
            app.query_params[name] = value
        if page is not None:
            app.switch_page(f"pages/{page}.py")
            for name, value in parameters.items():
                app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return opening
