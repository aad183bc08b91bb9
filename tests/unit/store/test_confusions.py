"""Confusion matrices: hidden until publication, and of the rows whose scores are shown."""

import numpy as np
import pytest
from in_store import write
from sample_arena import SAMPLE_TASKS, build_sample_arena, publish_sample_arena, sample_result, sample_round
from store_steps import enter, finish, to_phase

from harness.config import VisibilityConfig
from harness.records import Phase
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.public.publisher import Publisher
from harness.store.sealed.claims import claim_run
from harness.store.sealed.replicates import TestSet, keep_test_set
from harness.store.sealed.rounds import add_round, find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.teams import ensure_team

LABELS = np.array([0, 0, 1, 1, 1, 0])
IS_PUBLIC = np.array([True, True, True, False, False, False])
PREDICTED = np.array([0, 1, 1, 0, 0, 0])
PUBLIC_COUNTS = ((1, 1), (0, 1))


def run_one(tmp_path, curves):
    """Return the matrices of a submission whose predictions on SST-2 are known."""
    paths = ArenaPaths(tmp_path)
    config = sample_round(kshot_seeds=(8, 13))
    config = config.model_copy(update={"visibility": VisibilityConfig(curves=curves)})
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        with sealed.write() as tx:
            add_round(tx, config)
            keep_test_set(tx, find_round(tx, "sample"), "sst2", TestSet(LABELS, IS_PUBLIC, 2, "e" * 64))
            ensure_team(tx, "Lynx")
        number = enter(sealed, "Lynx", "known", round_name="sample")
        while (claim := write(sealed, claim_run, "x", 600)) is not None:
            finish(sealed, claim, sample_result(claim, 70.0), PREDICTED)
        publisher.publish()
        with PublicStore.open(paths.public_db) as public:
            before = public.submission(number).confusions
        to_phase(sealed, Phase.CLOSED, "sample")
        to_phase(sealed, Phase.PUBLISHED, "sample")
        publisher.publish()
        with PublicStore.open(paths.public_db) as public:
            return before, public.submission(number).confusions


def test_matrix_is_hidden_until_publication_and_then_counts_the_private_rows_of_all_seeds(tmp_path):
    before, after = run_one(tmp_path, "published")
    assert before == {}
    assert after == {"sst2": ((2, 0), (4, 0))}


def test_round_that_shows_curves_at_once_counts_the_public_rows_alone(tmp_path):
    before, _ = run_one(tmp_path, "open")
    assert before == {"sst2": tuple(tuple(2 * count for count in row) for row in PUBLIC_COUNTS)}


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
        counts = np.array(page.confusions["qqp"])
        accuracy = 100 * counts.trace() / counts.sum()
        assert accuracy == pytest.approx(page.entry.task_scores["qqp"], rel=1e-5)


def test_submission_without_scores_has_no_matrix(published):
    with PublicStore.open(published.public_db) as store:
        failed = next(each for each in store.submissions("sample") if each.solver == "division by zero")
        assert store.submission(failed.submission_id).confusions == {}
