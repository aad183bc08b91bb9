"""The page of the rules has every limit of a round file with its default, and the limits of every round."""

import pytest

from harness.config import LimitsConfig, RoundInfo, VisibilityConfig
from harness.records import MAX_ABS_VALUE
from harness.sandbox import SandboxPolicy
from harness.sandbox.wire.frames import PAYLOAD_MAX_BYTES
from harness.session.handles import MAX_WORDS
from harness.session.incumbents import MAX_INCUMBENTS
from harness.session.prediction import N_RECHECKED
from harness.session.submission import MANIFEST_MAX_BYTES, MAX_DEPTH, MAX_FILES

UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
QUOTA = ("max_submissions_per_day", "max_submissions")


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "submissions/RULES.md").read_text()


def in_units(size):
    unit, factor = next((unit, factor) for unit, factor in UNITS if size % factor == 0)
    return f"{size // factor} {unit}"


def as_shown(key, default):
    if default is None:
        return "any number"
    if key.endswith("_bytes"):
        return in_units(default)
    return f"{default:g} s" if key.endswith("_s") else f"{default:,}"


@pytest.mark.parametrize("key", LimitsConfig.model_fields)
def test_every_limit_stands_in_the_table_with_its_default(page, key):
    row = f"| `{key}` | {as_shown(key, LimitsConfig.model_fields[key].default)} |"
    assert row in page, f"submissions/RULES.md has no row {row}"


@pytest.mark.parametrize("key", QUOTA)
def test_every_quota_stands_in_the_table_with_its_default(page, key):
    assert f"| `{key}` | {as_shown(key, RoundInfo.model_fields[key].default)} |" in page


@pytest.mark.parametrize("key", VisibilityConfig.model_fields)
def test_every_visibility_stands_in_the_table_with_its_default(page, key):
    default = VisibilityConfig.model_fields[key].default
    assert f"| `{key}` | {'as `scores`' if default is None else default} |" in page


@pytest.mark.parametrize(
    "text",
    [
        f"{MAX_FILES}, {MAX_DEPTH} levels, {in_units(MANIFEST_MAX_BYTES)}",
        f"the {SandboxPolicy().max_invalid_queries:,}th ends the attempt",
        f"{SandboxPolicy().max_free_requests:,}",
        in_units(SandboxPolicy().inbound_bytes),
        f"{MAX_ABS_VALUE:,.0f}",
        f"{MAX_WORDS:,}",
        in_units(PAYLOAD_MAX_BYTES // 2),
        f"predicts {N_RECHECKED} of the rows again",
        f"up to {MAX_INCUMBENTS} earlier incumbents",
    ],
)
def test_every_limit_that_no_round_sets_is_that_of_the_code(page, text):
    assert text in page
