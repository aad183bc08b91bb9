"""Which class is taken for which: hidden until publication, and of the rows whose scores are shown."""

import dataclasses

import numpy as np
import pytest
from sample_arena import SAMPLE_TASKS, build_sample_arena, publish_sample_arena, sample_result, sample_round

from harness.store import ArenaPaths, Phase, PublicStore, Publisher, SealedStore

LABELS = np.array([0, 0, 1, 1, 1, 0])
IS_PUBLIC = np.array([True, True, True, False, False, False])
PREDICTED = np.array([0, 1, 1, 0, 0, 0])
PUBLIC_COUNTS = ((1, 1), (0, 1))


def run_one(tmp_path, curves_from):
    """Return the matrices of a submission whose predictions on SST-2 are known."""
    paths = ArenaPaths(tmp_path)
    facts = dataclasses.replace(sample_round(kshot_seeds=(8, 13)), curves_from=curves_from)
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        sealed.add_round(facts)
        sealed.keep_test_set(
            facts.name,
            facts.version,
            "SST-2",
            digest="e" * 64,
            n_classes=2,
            labels=LABELS,
            is_public=IS_PUBLIC,
        )
        sealed.ensure_team("Lynx")
        number = sealed.add_submission("sample", "Lynx", "known", "a" * 64, "x")
        while (claim := sealed.claim_run("x", 600)) is not None:
            result = dataclasses.replace(sample_result(claim, 70.0), predictions=PREDICTED)
            sealed.finish_run(claim, sealed.start_attempt(claim), result)
        publisher.publish()
        with PublicStore.open(paths.public_db) as public:
            before = public.submission(number).confusions
        sealed.set_phase("sample", Phase.CLOSED)
        sealed.set_phase("sample", Phase.PUBLISHED)
        publisher.publish()
        with PublicStore.open(paths.public_db) as public:
            return before, public.submission(number).confusions


def test_matrix_is_hidden_until_publication_and_then_counts_the_private_rows_of_all_seeds(tmp_path):
    before, after = run_one(tmp_path, Phase.PUBLISHED)
    assert before == {}
    assert after == {"SST-2": ((2, 0), (4, 0))}


def test_round_that_shows_curves_at_once_counts_the_public_rows_alone(tmp_path):
    before, _ = run_one(tmp_path, Phase.OPEN)
    assert before == {"SST-2": tuple(tuple(2 * count for count in row) for row in PUBLIC_COUNTS)}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    paths = ArenaPaths(tmp_path_factory.mktemp("arena"))
    build_sample_arena(paths, n_teams=2, kshot_seeds=(8, 13))
    publish_sample_arena(paths)
    return paths


def test_matrices_of_a_published_round_agree_with_its_accuracies(published):
    with PublicStore.open(published.public_db) as store:
        pages = [store.submission(entry.submission_id) for entry in store.board("sample").entries[:4]]
    for page in pages:
        assert set(page.confusions) == set(SAMPLE_TASKS)
        counts = np.array(page.confusions["QQP"])
        accuracy = 100 * counts.trace() / counts.sum()
        assert accuracy == pytest.approx(page.entry.task_scores["QQP"], rel=1e-5)


def test_submission_without_scores_has_no_matrix(published):
    with PublicStore.open(published.public_db) as store:
        failed = next(each for each in store.submissions("sample") if each.name == "division by zero")
        assert store.submission(failed.submission_id).confusions == {}
