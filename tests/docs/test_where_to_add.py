"""CONTRIBUTING.md tells for every kind of addition which files to touch, and these files exist."""

import re

import pytest

KINDS = (
    "a metric",
    "an output",
    "a task kind",
    "a tunable",
    "a model family",
    "a round key",
    "a page of the board",
    "a command",
    "a table of the store",
)


@pytest.fixture(scope="module")
def steps(repository):
    """Kind of addition -> its numbered steps, in one text."""
    page = (repository / "CONTRIBUTING.md").read_text()
    section = re.search(r"\n## Where to add \.\.\.\n(.*?)\n## ", page, re.DOTALL).group(1)
    return dict(re.findall(r"### (.+?)\n\n(.*?)(?=\n### |\Z)", section, re.DOTALL))


def paths_in(text):
    """Return what backticks name that is a path: it has a slash or the ending of a file."""
    return re.findall(r"`([\w<>.-]+(?:/[\w<>.-]*)+|[\w-]+\.(?:md|toml|py))`", text)


def test_the_section_has_every_kind_of_addition(steps):
    assert tuple(steps) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_to_touch_exists(repository, steps, kind):
    paths = paths_in(steps[kind])
    assert len(paths) >= 2
    missing = [path for path in paths if not any(repository.glob(re.sub(r"<\w+>", "[a-z]*", path).rstrip("/")))]
    assert not missing, f"CONTRIBUTING.md, {kind}: {', '.join(missing)}"
