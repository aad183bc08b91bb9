import pytest

from harness.config import load_round
from harness.errors import UsageError
from harness.records import Usage, Verdict
from harness.rounds.final import draw_final
from harness.rounds.lifecycle import create_round, stored_config
from harness.store import ArenaPaths, Phase, PublicStore, Publisher, RunResult, SealedStore
from harness.store.writer import utc_now


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path / "arena")
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        create_round(sealed, publisher, load_round("toy"))
        yield sealed, publisher, paths


def enter(sealed, team, name, level, **more):
    sealed.ensure_team(team, is_baseline_owner=more.get("is_baseline", False))
    number = sealed.add_submission("toy", team, name, "b" * 64, "b" * 64, **more)
    while claim := sealed.claim_run("w", 60):
        result = RunResult(Verdict.OK, level, level, Usage(calls=3), 400, utc_now(), utc_now())
        sealed.finish_run(claim, sealed.start_attempt(claim), result)
    return number


def test_the_final_runs_what_stands_on_seeds_that_nobody_knew(arena):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", "worse", 60.0)
    enter(sealed, "Lynx", "better", 80.0)
    enter(sealed, "Moths", "other", 70.0)
    enter(sealed, "reference", "bbtv2", 75.0, is_baseline=True)
    with pytest.raises(UsageError, match="close it first"):
        draw_final(sealed, publisher, paths, "toy")
    sealed.set_phase("toy", Phase.CLOSED)
    final, queued = draw_final(sealed, publisher, paths, "toy")
    assert (final.facts.name, final.facts.version, queued) == ("toy-final", "1.0", 3)
    assert draw_final(sealed, publisher, paths, "toy") == (final, 0)
    assert {item.name for item in sealed.list_submissions("toy-final")} == {"better", "other", "bbtv2"}
    for first, second in zip(load_round("toy").task, stored_config(final).task, strict=True):
        assert len(first.kshot_seeds) == len(second.kshot_seeds)
        assert set(first.kshot_seeds).isdisjoint(second.kshot_seeds)
    # Nobody hands in to a final.
    with pytest.raises(UsageError, match="not open"):
        sealed.add_submission("toy-final", "Lynx", "late", "b" * 64, "x")
    with PublicStore.open(paths.public_db) as public:
        assert public.board("toy-final").n_submissions == 3


def test_a_final_waits_until_everything_has_ended(arena):
    sealed, publisher, paths = arena
    sealed.ensure_team("Lynx")
    number = sealed.add_submission("toy", "Lynx", "waits", "b" * 64, "x")
    sealed.set_phase("toy", Phase.CLOSED)
    with pytest.raises(UsageError, match=rf"submissions \[{number}\] .* have not ended"):
        draw_final(sealed, publisher, paths, "toy")


def test_a_final_drawn_by_a_process_that_died_is_completed_on_the_same_seeds(arena, monkeypatch):
    sealed, publisher, paths = arena
    for team in ("Lynx", "Moths", "Voles"):
        enter(sealed, team, f"of {team}", 60.0)
    sealed.set_phase("toy", Phase.CLOSED)
    add, added = sealed.add_submission, []

    def dies_at_the_second(*arguments, **options):
        added.append(arguments)
        if len(added) == 2:
            raise KeyboardInterrupt
        return add(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(sealed, "add_submission", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            draw_final(sealed, publisher, paths, "toy")
    drawn = sealed.get_round("toy-final")
    final, queued = draw_final(sealed, publisher, paths, "toy")
    assert (final, queued) == (drawn, 2)
    entered = [item.team for item in sealed.list_submissions("toy-final")]
    assert sorted(entered) == ["Lynx", "Moths", "Voles"]
