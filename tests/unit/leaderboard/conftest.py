import pytest
from sample_arena import build_sample_arena

from harness.store import ArenaPaths, PublicStore


@pytest.fixture(scope="session")
def sample_db(tmp_path_factory):
    """The public store of a sample arena: three teams, four baselines, and every other state."""
    paths = ArenaPaths(tmp_path_factory.mktemp("arena"))
    build_sample_arena(paths, n_teams=3, kshot_seeds=(8, 13))
    return paths.public_db


@pytest.fixture(scope="session")
def sample_store(sample_db):
    with PublicStore.open(sample_db) as store:
        yield store


@pytest.fixture(scope="session")
def sample_board(sample_store):
    return sample_store.board("sample")
