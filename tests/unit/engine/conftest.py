"""One small model of each family for the whole session."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from harness.engine import Backbone, NumericProfile, load_backbone


def _load_small_models() -> ModuleType:
    path = Path(__file__).parent / "small_models.py"
    spec = importlib.util.spec_from_file_location("engine_small_models", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """The builders in `small_models.py`."""
    return _load_small_models()


@pytest.fixture(scope="session")
def folders(small, tmp_path_factory) -> dict[str, Path]:
    """A model folder per family."""
    return {
        family: small.save_model(family, tmp_path_factory.mktemp("models") / family)
        for family in small.FAMILIES
    }


@pytest.fixture(scope="session")
def backbones(folders) -> dict[str, Backbone]:
    """A loaded model per family."""
    profile = NumericProfile()
    return {family: load_backbone(str(folder), profile=profile) for family, folder in folders.items()}


@pytest.fixture(params=["roberta", "bert"])
def backbone(request, backbones) -> Backbone:
    """Each family in turn."""
    return backbones[request.param]
