"""The demo beside what an earlier one left behind."""

from in_store import read

from harness.cli.demo import _set_older_rules_aside
from harness.cli.options import stores
from harness.config import load_round
from harness.rounds.lifecycle import create_round
from harness.store.sealed.rounds import list_rounds


def test_a_demo_under_older_rules_is_kept_beside_the_new_one(tmp_path):
    config = load_round("toy")
    older = config.model_copy(update={"numeric": config.numeric.model_copy(update={"chunk_tokens": 999})})
    home = tmp_path / "demo"
    with stores(home, must_exist=False) as (_, sealed, publisher):
        create_round(sealed, publisher, older)
    _set_older_rules_aside(home, config)
    assert not home.exists()
    (kept,) = tmp_path.iterdir()
    with stores(kept) as (_, sealed, _):
        assert [stored.digest for stored in read(sealed, list_rounds)] == [older.digest()]
    # Back under the older rules, and forth again: nothing is in the way, and nothing is lost.
    with stores(home, must_exist=False) as (_, sealed, publisher):
        create_round(sealed, publisher, older)
    _set_older_rules_aside(home, config)
    assert not home.exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_demo_under_the_same_rules_is_continued(tmp_path):
    home = tmp_path / "demo"
    with stores(home, must_exist=False) as (_, sealed, publisher):
        create_round(sealed, publisher, load_round("toy"))
    _set_older_rules_aside(home, load_round("toy"))
    assert home.is_dir()
