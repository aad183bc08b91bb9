"""The small models of tests/unit/engine, once for the session."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from harness.engine import Backbone, NumericProfile, load_backbone


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """The builders in tests/unit/engine/small_models.py."""
    path = Path(__file__).parents[2] / "unit" / "engine" / "small_models.py"
    spec = importlib.util.spec_from_file_location("engine_small_models", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def backbones(small, tmp_path_factory) -> dict[str, Backbone]:
    """A loaded model per family."""
    profile = NumericProfile()
    return {
        family: load_backbone(
            str(small.save_model(family, tmp_path_factory.mktemp("models") / family)), profile=profile
        )
        for family in small.FAMILIES
    }
