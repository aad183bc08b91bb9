"""The pages define their terms where a reader meets them, and use one term per concept."""

import re

import pytest

TERMS = ("deep prompt", "call", "k-shot seed", "wording", "incumbent")
REPLACED = {
    "reference method": "baseline",
    "reference solver": "baseline",
    "few-shot": "k-shot",
    "our fault": "platform error",
    "fault of ours": "platform error",
    "faults of ours": "platform errors",
    "taken for which": "confusion matrix",
    "charged to nobody": "not charged",
    "stands still": "is frozen",
}


@pytest.mark.parametrize("page", ["README.md", "submissions/README.md"])
def test_every_term_is_defined_before_it_is_used(repository, page):
    text = (repository / page).read_text()
    for term in TERMS:
        assert f"\n| {term} | " in text, f"{page} does not define {term!r}"
        first = re.search(rf"\b{term}s?\b", text)
        assert first.start() <= text.index("\n    "), f"{page} defines {term!r} only after the first commands"


def test_the_readme_links_the_competition(repository):
    link = "[PLMTuningCompetition](https://github.com/Hzfinfdu/PLMTuningCompetition)"
    assert link in (repository / "README.md").read_text()


@pytest.mark.parametrize(
    "page",
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "submissions/README.md", "submissions/RULES.md"],
)
def test_a_page_uses_the_terms_of_the_glossary(repository, page):
    text = " ".join((repository / page).read_text().lower().split())
    for phrase, term in REPLACED.items():
        assert phrase not in text, f"{page}: write {term!r} instead of {phrase!r}"
