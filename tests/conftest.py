"""What all tests share: where things lie, and the toy round loaded once."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

# Before anything imports a Hugging Face library: tests never ask the hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


# New examples at every run on a developer's machine, the same ones in CI: there a red light means
# that the change broke something.
settings.register_profile("ci", derandomize=True, deadline=None)
# Nothing asserts a time: a busy machine is no bug.
settings.register_profile("local", deadline=None)
settings.register_profile("fast", derandomize=True, deadline=None, max_examples=10)
settings.load_profile("fast" if os.environ.get("GRADFREE_FAST_TESTS") else "local")
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def repository():
    return REPOSITORY


@pytest.fixture(scope="session")
def shared():
    """The folder of real data and models; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("GRADFREE_SHARED") or REPOSITORY.parent / "shared")
    if not (folder / "models" / "minilm-mlm").is_dir():
        pytest.skip(f"no shared data at {folder}; name it with GRADFREE_SHARED")
    return folder


@pytest.fixture(scope="session")
def toy_arena():
    from harness.config import load_round
    from harness.session.loaded_round import LoadedRound

    return LoadedRound(load_round("toy"))


@pytest.fixture(scope="session")
def small():
    """Builders of small random models with their own tokenizers."""
    import small_models

    return small_models


@pytest.fixture(scope="session")
def folders(small, tmp_path_factory):
    """A model folder per family, as transformers saves it."""
    return {family: small.save_model(family, tmp_path_factory.mktemp("models") / family) for family in small.FAMILIES}


@pytest.fixture(scope="session")
def backbones(folders):
    """A loaded small model per family."""
    from harness.engine import NumericProfile, load_backbone

    profile = NumericProfile()
    return {family: load_backbone(str(folder), profile=profile) for family, folder in folders.items()}
