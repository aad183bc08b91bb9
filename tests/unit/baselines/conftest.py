import importlib
import sys

import pytest

from harness.rounds.intake import baseline_folder


@pytest.fixture
def load(monkeypatch):
    """Import a file of a baseline as the sandbox does: its folder is on the path, alone."""
    loaded = set()

    def load_module(baseline, name="solver"):
        folder = str(baseline_folder(baseline))
        monkeypatch.syspath_prepend(folder)
        before = set(sys.modules)
        module = importlib.import_module(name)
        assert module.__file__.startswith(folder)
        loaded.update(set(sys.modules) - before)
        return module

    yield load_module
    for name in loaded:
        if getattr(sys.modules[name], "__file__", None) and "/baselines/" in (sys.modules[name].__file__ or ""):
            del sys.modules[name]
