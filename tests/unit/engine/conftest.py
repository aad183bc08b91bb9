"""Each model family in turn."""

import pytest


@pytest.fixture(params=["roberta", "bert"])
def backbone(request, backbones):
    return backbones[request.param]
