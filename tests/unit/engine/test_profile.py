import dataclasses

import pytest

from harness.engine import NumericProfile
from harness.errors import UsageError


def test_profile_names_versions_and_digests_canonically():
    profile = NumericProfile(threads=1, chunk_tokens=64)
    assert {"torch", "transformers", "numpy", "cpu_capability", "amx_kernels", "gpu"} == set(
        profile.as_dict()["versions"]
    )
    assert profile.digest == NumericProfile(chunk_tokens=64, threads=1).digest
    assert len(profile.digest) == 64


@pytest.mark.parametrize("change", [{"threads": 2}, {"chunk_tokens": 65}, {"versions": (("torch", "0"),)}])
def test_profile_any_change_moves_the_digest(change):
    profile = NumericProfile(threads=1, chunk_tokens=64)
    assert dataclasses.replace(profile, **change).digest != profile.digest


@pytest.mark.parametrize("values", [{"device": "auto"}, {"dtype": "auto"}, {"threads": 0}, {"chunk_tokens": 0}])
def test_profile_unsupported_values_are_refused(values):
    with pytest.raises(UsageError, match=next(iter(values))):
        NumericProfile(**values)
