import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location(
    "sandbox_driver", Path(__file__).parents[1] / "integration" / "sandbox" / "driver.py"
)
_DRIVER = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_DRIVER)


@pytest.fixture(scope="session", params=["root", "user"])
def sandbox(request):
    """Each official mode in turn."""
    opened = _DRIVER.open_mode(request.param)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def unsafe():
    """The positive control: the same code without isolation."""
    return _DRIVER.open_mode("unsafe")
