"""An arena in a temporary folder, driven through the real command line."""

import pytest
from command_line import CommandLine, write_round

from harness.executors.loaded_rounds import LoadedRounds


@pytest.fixture(scope="session")
def loaded_rounds():
    """The rounds that the tests' executors share: the toy model is loaded once for all."""
    return LoadedRounds()


@pytest.fixture
def cli(tmp_path):
    return CommandLine(tmp_path)


@pytest.fixture
def mini_round(tmp_path):
    return write_round(tmp_path)
