import pytest
from in_store import read, write

from harness.config import load_round
from harness.errors import ConfigError, UsageError
from harness.records import Phase, RunSummary, Usage, Verdict
from harness.rounds import final as finals
from harness.rounds.export import export_round
from harness.rounds.final import draw_final
from harness.rounds.intake import baseline_folder
from harness.rounds.lifecycle import check_round, create_round
from harness.rounds.logs import read_logs
from harness.rounds.verify import verify_export
from harness.session.attempt import solver_params
from harness.session.submission import read_submission
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.public.publisher import Publisher
from harness.store.sealed import rejudges
from harness.store.sealed.attempts import finish_run, start_attempt
from harness.store.sealed.claims import claim_run
from harness.store.sealed.rounds import find_round, set_phase
from harness.store.sealed.schema import SubmissionRow
from harness.store.sealed.standings import standings
from harness.store.sealed.store import SealedStore, utc_now
from harness.store.sealed.submissions import add_submission, check_admission, list_submissions
from harness.store.sealed.teams import ensure_team, find_team


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path / "arena")
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        create_round(sealed, publisher, load_round("toy"))
        yield sealed, publisher, paths


def hand_in(sealed, team, name, **more):
    with sealed.write() as tx:
        owner = ensure_team(tx, team, is_baseline_owner=more.get("is_baseline", False))
        row = SubmissionRow(team=owner, name=name, digest="b" * 64, path="b" * 64, **more)
        return add_submission(tx, find_round(tx, "toy"), row).id


def enter(sealed, team, name, level, private=None, **more):
    number = hand_in(sealed, team, name, **more)
    run_all(sealed, lambda _claim: (level, level if private is None else private))
    return number


def run_all(sealed, scores_of):
    while claim := write(sealed, claim_run, "w", 60):
        summary = RunSummary(Verdict.OK, *scores_of(claim), Usage(calls=3), utc_now(), utc_now())
        with sealed.write() as tx:
            finish_run(tx, claim, start_attempt(tx, claim), summary)


def move(sealed, phase, name="toy"):
    with sealed.write() as tx:
        set_phase(tx, find_round(tx, name), phase)


def list_of(sealed, name="toy-final"):
    with sealed.read() as tx:
        return list_submissions(tx, find_round(tx, name))


def rejudge(sealed, act, *arguments):
    with sealed.write() as tx:
        row = find_round(tx, "toy")
        act(tx, row if act is rejudges.stage_rejudge else rejudges.find_rejudge(tx, row), *arguments)


def test_the_final_runs_what_stands_on_seeds_that_nobody_knew(arena):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", "worse", 60.0)
    enter(sealed, "Lynx", "better", 80.0)
    enter(sealed, "Moths", "other", 70.0)
    enter(sealed, "reference", "bbtv2", 75.0, is_baseline=True)
    with pytest.raises(UsageError, match="close it first"):
        draw_final(sealed, publisher, "toy")
    move(sealed, Phase.CLOSED)
    final, queued = draw_final(sealed, publisher, "toy")
    assert (final.config.name, final.config.version, queued) == ("toy-final", "1.0", 3)
    again, queued = draw_final(sealed, publisher, "toy")
    assert (again.id, queued) == (final.id, 0)
    assert {item.name for item in list_of(sealed)} == {"better", "other", "bbtv2"}
    for first, second in zip(load_round("toy").task, final.config.task, strict=True):
        assert len(first.kshot_seeds) == len(second.kshot_seeds)
        assert set(first.kshot_seeds).isdisjoint(second.kshot_seeds)
    # Nobody hands in to a final.
    with pytest.raises(UsageError, match="not open"), sealed.read() as tx:
        check_admission(tx, find_round(tx, "toy-final"), find_team(tx, "Lynx"), token=None)
    with PublicStore.open(paths.public_db) as public:
        assert public.board("toy-final").n_submissions == 3


def test_a_final_waits_until_everything_has_ended(arena):
    sealed, publisher, _ = arena
    number = hand_in(sealed, "Lynx", "waits")
    move(sealed, Phase.CLOSED)
    with pytest.raises(UsageError, match=rf"submissions \[{number}\] .* have not ended"):
        draw_final(sealed, publisher, "toy")


def closed_round_of_three(sealed):
    for team in ("Lynx", "Moths", "Voles"):
        enter(sealed, team, f"of {team}", 60.0)
    move(sealed, Phase.CLOSED)


def test_a_draw_by_a_process_that_dies_leaves_nothing_and_is_repeated(arena, monkeypatch):
    sealed, publisher, _ = arena
    closed_round_of_three(sealed)
    added = []

    def dies_at_the_second(*arguments):
        added.append(arguments)
        if len(added) == 2:
            raise KeyboardInterrupt
        return add_submission(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(finals, "add_submission", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            draw_final(sealed, publisher, "toy")
    with pytest.raises(UsageError, match="no round toy-final"):
        read(sealed, find_round, "toy-final")
    assert draw_final(sealed, publisher, "toy")[1] == 3


def test_a_final_that_lacks_entries_is_completed_on_the_same_seeds(arena, monkeypatch):
    sealed, publisher, _ = arena
    closed_round_of_three(sealed)
    with monkeypatch.context() as patch:
        patch.setattr(finals, "standings", lambda *arguments: standings(*arguments)[:1])
        drawn, queued = draw_final(sealed, publisher, "toy")
    assert queued == 1
    again, queued = draw_final(sealed, publisher, "toy")
    assert (again.id, queued) == (drawn.id, 2)
    assert sorted(item.team for item in list_of(sealed)) == ["Lynx", "Moths", "Voles"]


def test_a_frozen_or_blind_board_keeps_nothing_out_of_the_final_and_its_order_tells_no_rank(arena):
    sealed, publisher, paths = arena
    config = load_round("toy")
    blind = config.visibility.model_copy(update={"scores": "published"})
    changed = config.round.model_copy(update={"version": "2.0"})
    create_round(sealed, publisher, config.model_copy(update={"round": changed, "visibility": blind}), Phase.OPEN)
    enter(sealed, "Lynx", "before", 60.0)
    move(sealed, Phase.FROZEN)
    enter(sealed, "Moths", "worst in private", 70.0, private=10.0)
    enter(sealed, "Lynx", "after", 80.0, private=90.0)
    move(sealed, Phase.CLOSED)
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        assert {entry.score for entry in public.board("toy").entries} == {None}
    final, queued = draw_final(sealed, publisher, "toy")
    assert (final.config.version, queued) == ("2.0", 2)
    entered = list_of(sealed)
    assert [item.name for item in entered] == ["worst in private", "after"]


def test_a_final_is_blind_until_it_is_published(arena):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", "cma", 80.0)
    move(sealed, Phase.CLOSED)
    draw_final(sealed, publisher, "toy")
    run_all(sealed, lambda _claim: (81.0, 82.0))
    (number,) = (item.submission_id for item in list_of(sealed))
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        page = public.submission(number)
        assert (page.entry.score, {run.score for run in page.runs}) == (None, {None})
    with pytest.raises(UsageError, match="shows what solvers printed once it is published"):
        read_logs(sealed, paths, number)
    move(sealed, Phase.PUBLISHED, "toy-final")
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        assert public.submission(number).entry.score == pytest.approx(82.0)
    assert read_logs(sealed, paths, number) == ()


def test_an_older_version_of_a_round_lives_on_under_its_full_name(arena, tmp_path):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", "cma", 80.0)
    config = load_round("toy")
    newer = config.model_copy(update={"round": config.round.model_copy(update={"version": "2.0"})})
    create_round(sealed, publisher, newer)
    move(sealed, Phase.CLOSED, "toy@1.0")
    assert [read(sealed, find_round, name).phase for name in ("toy", "toy@2.0", "toy@1.0")] == [
        "open",
        "open",
        "closed",
    ]
    final, queued = draw_final(sealed, publisher, "toy@1.0")
    assert (final.config.name, final.config.version, queued) == ("toy-final", "1.0", 1)
    move(sealed, Phase.PUBLISHED, "toy@1.0")
    publisher.publish()
    export_round(sealed, paths, "toy@1.0", tmp_path / "toy.zip")
    report = verify_export(tmp_path / "toy.zip")
    assert (report.round_name, report.is_final, report.places) == ("toy", True, ((1, 1),))
    with PublicStore.open(paths.public_db) as public:
        assert public.board("toy@1.0").n_submissions == 1
        assert public.board("toy").n_submissions == 0
        with pytest.raises(UsageError, match=r"no round toy 3\.0; rounds"):
            public.board("toy@3.0")


def test_a_second_draw_gives_nobody_a_second_entry(arena):
    """Under Force_Best another submission of the team may stand by then: after a rejudge, say."""
    sealed, publisher, _ = arena
    first = enter(sealed, "Lynx", "first", 60.0)
    enter(sealed, "Lynx", "second", 80.0)
    move(sealed, Phase.CLOSED)
    rejudge(sealed, rejudges.stage_rejudge, "")
    with pytest.raises(UsageError, match="has a staged rejudge; apply it or cancel it first"):
        draw_final(sealed, publisher, "toy")
    rejudge(sealed, rejudges.cancel_rejudge)
    draw_final(sealed, publisher, "toy")
    rejudge(sealed, rejudges.stage_rejudge, "")
    run_all(sealed, lambda claim: (90.0, 90.0) if claim.origin_id == first else (50.0, 50.0))
    rejudge(sealed, rejudges.apply_rejudge)
    with sealed.read() as tx:
        assert [entry.submission_id for entry in standings(tx, find_round(tx, "toy"))] == [first]
    assert draw_final(sealed, publisher, "toy")[1] == 0
    assert [item.name for item in list_of(sealed)] == ["second"]


def test_a_round_whose_final_is_drawn_stays_closed(arena):
    sealed, publisher, _ = arena
    enter(sealed, "Lynx", "cma", 60.0)
    move(sealed, Phase.CLOSED)
    move(sealed, Phase.OPEN)
    move(sealed, Phase.CLOSED)
    draw_final(sealed, publisher, "toy")
    with pytest.raises(UsageError, match=r"the final of round toy 1\.0 has been drawn, so it stays closed"):
        move(sealed, Phase.OPEN)


def test_a_final_sets_solvers_as_its_round_does(arena):
    sealed, publisher, _ = arena
    enter(sealed, "Lynx", "cma", 60.0)
    move(sealed, Phase.CLOSED)
    drawn = draw_final(sealed, publisher, "toy")[0].config
    for name in ("bbt", "bbtv2", "ajo", "bbt_rgb"):
        submission = read_submission(baseline_folder(name), 1 << 20)
        own, final = (solver_params(config, submission, is_baseline=True) for config in (load_round("toy"), drawn))
        assert own == final
        assert own != submission.manifest.params


def test_a_round_whose_final_could_have_no_name_is_refused():
    config = load_round("toy")
    long = config.round.model_copy(update={"name": "a" * 35})
    with pytest.raises(ConfigError, match=r"round\.name: 'a+' has 35 characters, at most 34"):
        check_round(config.model_copy(update={"round": long}))


def test_a_round_for_a_gpu_is_checked_without_one(tmp_path):
    for name in ("pool", "test"):
        rows = "".join(f"{name} {number},{number % 2}\n" for number in range(100))
        (tmp_path / f"{name}.csv").write_text("sentence,label\n" + rows)
    config = load_round("toy")
    files = {"data": f"files:{tmp_path}", "pool": "pool.csv", "test": "test.csv", "test_limit": None}
    numeric = config.numeric.model_copy(update={"device": "cuda"})
    task = config.task[0].model_copy(update=files)
    check_round(config.model_copy(update={"task": (task,), "numeric": numeric}))
    unknown = task.model_copy(update={"words": ("great", "great")})
    with pytest.raises(ConfigError, match="task 'sst2' of round 'toy'"):
        check_round(config.model_copy(update={"task": (unknown,), "numeric": numeric}))
    lacking = config.model.model_copy(update={"source": f"path:{tmp_path}"})
    with pytest.raises(ConfigError, match=str(tmp_path)):
        check_round(config.model_copy(update={"task": (task,), "model": lacking}))


def test_no_round_is_made_under_the_name_of_a_final():
    config = load_round("toy")
    named = config.model_copy(update={"round": config.round.model_copy(update={"name": "toy-final"})})
    with pytest.raises(ConfigError, match="'toy-final' ends with '-final', reserved for `gradfree round final`"):
        check_round(named)
