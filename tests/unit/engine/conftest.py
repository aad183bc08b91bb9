"""Each model family in turn."""

import pytest
import small_models


@pytest.fixture(params=small_models.FAMILIES)
def backbone(request, backbones):
    return backbones[request.param]
