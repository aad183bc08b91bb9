"""Tokens and quotas: who may submit, and what counts."""

from datetime import UTC, datetime, timedelta

import pytest
from in_store import read, write
from small_round import small_round
from store_steps import add_rejudge, admit_and_enter, cancel, end_rejudge, quota, to_phase
from store_steps import finish as finish_claim

from harness.errors import UsageError
from harness.records import Phase, RunSummary, Status, Usage, Verdict
from harness.store.paths import ArenaPaths
from harness.store.sealed.attempts import finish_run, note_metered, start_attempt, start_scoring, void_attempt
from harness.store.sealed.claims import claim_run
from harness.store.sealed.events import read_events
from harness.store.sealed.queue import sweep_expired
from harness.store.sealed.rounds import add_round as store_round
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import get_submission
from harness.store.sealed.teams import add_grant, add_team, ensure_team, find_team, rotate_token, team_of_token
from harness.store.values import LeaseLost

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Clock:
    now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    with SealedStore.open(ArenaPaths(tmp_path), clock=clock, actor="the organizer") as store:
        yield store


def add_round(store, **more):
    write(store, store_round, small_round(("sst2", "accuracy", 40, (8,)), **more))
    write(store, ensure_team, "Lynx")


def submit(store, team="Lynx", **more):
    return admit_and_enter(store, team, "cma", **more)


def finish(store, calls=10, verdict=Verdict.OK):
    scores = (70.0, 60.0) if verdict is Verdict.OK else (None, None)
    summary = RunSummary(verdict, *scores, Usage(calls=calls), START, START)
    finish_claim(store, write(store, claim_run, "w", 60), summary)


def test_a_token_is_shown_once_hashed_at_rest_and_void_when_rotated(store, tmp_path):
    add_round(store)
    token = write(store, add_team, "Moths")
    assert token.encode() not in (tmp_path / "sealed.db").read_bytes() + (tmp_path / "sealed.db-wal").read_bytes()
    assert read(store, team_of_token, token) == "Moths"
    submit(store, "Moths", token=token)
    for wrong, message in ((None, "has a token"), ("guess", "not the token")):
        with pytest.raises(UsageError, match=message):
            submit(store, "Moths", token=wrong)
    with store.write() as tx:
        newer = rotate_token(tx, find_team(tx, "Moths"))
    with pytest.raises(UsageError, match="rotated token is void"):
        submit(store, "Moths", token=token)
    with pytest.raises(UsageError, match="belongs to no team"):
        read(store, team_of_token, token)
    submit(store, "Moths", token=newer)
    with pytest.raises(UsageError, match="gradfree team rotate"):
        write(store, add_team, "Moths")
    assert [event.kind for event in read(store, read_events) if "token" in event.kind] == [
        "token given",
        "token rotated",
    ]
    assert {event.actor for event in read(store, read_events)} == {"the organizer"}


def test_a_round_for_registered_teams_refuses_teams_without_a_token(store):
    add_round(store, teams="registered")
    with pytest.raises(UsageError, match="registered teams"):
        submit(store)


@pytest.mark.parametrize("name", ["", "  ", " us", "u\x1b[31ms", "a\nb", "a\u202eb", "x" * 101])
def test_a_team_name_that_cannot_be_shown_is_refused(store, name):
    with pytest.raises(UsageError, match="printable characters"):
        write(store, ensure_team, name)


def test_quota_counts_what_waits_and_what_was_metered_by_utc_day(store, clock):
    add_round(store, max_submissions_per_day=2, max_submissions=3)
    submit(store)
    finish(store)
    submit(store)
    with pytest.raises(UsageError, match=r"2 of 2 today .*, 2 of 3 in all.*max_submissions_per_day"):
        submit(store)
    clock.now += timedelta(hours=12)
    submit(store)
    with pytest.raises(UsageError, match=r"The limit is max_submissions;"):
        submit(store)
    assert quota(store, "Lynx").left == 0
    with store.write() as tx:
        add_grant(tx, find_round(tx, "toy"), find_team(tx, "Lynx"), 1, "their machine was ill")
    submit(store)
    assert quota(store, "Lynx").left == 0


def test_what_ends_without_a_metered_call_or_a_score_costs_nothing(store):
    add_round(store, max_submissions=1)
    submit(store)
    finish(store, calls=0, verdict=Verdict.RUNTIME_ERROR)
    assert quota(store, "Lynx").used == 0
    submit(store)
    finish(store, calls=1, verdict=Verdict.RUNTIME_ERROR)
    assert quota(store, "Lynx").used == 1


@pytest.mark.parametrize("test_examples", [0, 872])
def test_a_run_that_fails_in_its_test_phase_counts_though_it_asked_nothing(store, test_examples):
    add_round(store)
    number = submit(store)
    claim = write(store, claim_run, "w", 60)
    attempt = write(store, start_attempt, claim)
    write(store, start_scoring, attempt)
    usage = Usage(calls=0, test_examples=test_examples)
    write(store, finish_run, claim, attempt, RunSummary(Verdict.RUNTIME_ERROR, None, None, usage, START, START))
    assert quota(store, "Lynx").used == 1
    assert [event.kind for event in read(store, read_events, number)].count("quota charged") == 1


def test_a_score_without_a_call_counts(store):
    add_round(store, max_submissions=1)
    submit(store)
    finish(store, calls=0)
    assert quota(store, "Lynx").used == 1


@pytest.mark.parametrize("is_metered", [False, True])
def test_a_cancelled_submission_counts_from_its_first_metered_call_on(store, is_metered):
    add_round(store, max_submissions=1)
    number = submit(store)
    attempt = write(store, start_attempt, write(store, claim_run, "w", 60))
    if is_metered:
        write(store, note_metered, attempt)
        write(store, note_metered, attempt)
    cancel(store, number)
    assert quota(store, "Lynx").used == int(is_metered)


def test_a_submission_cancelled_while_its_test_rows_are_scored_counts_without_a_call(store):
    add_round(store, max_submissions=1)
    number = submit(store)
    attempt = write(store, start_attempt, write(store, claim_run, "w", 60))
    write(store, start_scoring, attempt)
    write(store, start_scoring, attempt)
    (run,) = read(store, get_submission, number).runs
    assert run.status is Status.SCORING
    cancel(store, number)
    assert quota(store, "Lynx").used == 1
    assert [event.kind for event in read(store, read_events, number)][-3:] == [
        "scoring started",
        "quota charged",
        "submission cancelled",
    ]
    with pytest.raises(LeaseLost):
        write(store, start_scoring, attempt)


def test_platform_errors_are_never_charged(store, clock):
    add_round(store, max_submissions=1)
    number = submit(store)
    attempt = write(store, start_attempt, write(store, claim_run, "w", 60))
    write(store, note_metered, attempt)
    write(store, void_attempt, attempt, "device lost")
    attempt = write(store, start_attempt, write(store, claim_run, "w", 60))
    write(store, note_metered, attempt)
    clock.now += timedelta(seconds=61)
    assert write(store, sweep_expired) == 1
    cancel(store, number)
    assert quota(store, "Lynx").used == 0


def test_a_closed_round_takes_nothing(store):
    add_round(store)
    to_phase(store, Phase.CLOSED)
    with pytest.raises(UsageError, match=r"not open \(closed\)"):
        submit(store)
    write(store, ensure_team, "reference", is_baseline_owner=True)
    submit(store, "reference", is_baseline=True)


def test_turns_share_the_queue_between_teams(store):
    add_round(store)
    for team in ("Moths", "Otters"):
        write(store, ensure_team, team)
    for _ in range(4):
        submit(store, "Lynx")
    order = [write(store, claim_run, "w", 60).team]
    for team in ("Moths", "Moths", "Otters"):
        submit(store, team)
    while claim := write(store, claim_run, "w", 60):
        order.append(claim.team)
    assert order == ["Lynx", "Moths", "Otters", "Lynx", "Moths", "Lynx", "Lynx"]


def test_a_team_that_was_away_does_not_overtake_for_it(store):
    add_round(store)
    write(store, ensure_team, "Moths")
    for _ in range(50):
        submit(store, "Lynx")
        finish(store)
    for _ in range(3):
        submit(store, "Moths")
        submit(store, "Lynx")
    order = []
    while claim := write(store, claim_run, "w", 60):
        order.append(claim.team)
    assert order == ["Moths", "Lynx"] * 3


def claims(store, **options):
    order = []
    while claim := write(store, claim_run, "w", 60, **options):
        order.append(claim.team)
    return order


def test_a_rejudge_or_what_was_cancelled_costs_no_turns(store):
    """A team whose other submissions were cancelled or judged again does not wait longer for it."""
    add_round(store)
    write(store, ensure_team, "Moths")
    for _ in range(4):
        submit(store, "Lynx")
        finish(store)
    add_rejudge(store)
    end_rejudge(store, is_applied=False)
    for number in [submit(store, "Lynx") for _ in range(4)]:
        cancel(store, number)
    submit(store, "Lynx")
    for _ in range(3):
        submit(store, "Moths")
    assert claims(store)[:2] in (["Lynx", "Moths"], ["Moths", "Lynx"])


def test_a_team_that_submits_one_by_one_does_not_overtake(store):
    add_round(store)
    write(store, ensure_team, "Moths")
    for _ in range(4):
        submit(store, "Moths")
    order = []
    for _ in range(8):
        submit(store, "Lynx")
        order.append(write(store, claim_run, "w", 60).team)
    assert order.count("Moths") == 4


def test_baselines_and_workers_of_one_round_leave_the_clock_as_it_is(store):
    add_round(store)
    write(store, ensure_team, "Moths")
    write(store, ensure_team, "reference", is_baseline_owner=True)
    for _ in range(6):
        submit(store, "Lynx")
    for _ in range(9):
        submit(store, "reference", is_baseline=True)
    assert write(store, claim_run, "w", 60).team == "Lynx"
    assert set(claims(store, round_id=read(store, find_round, "toy").id, only_bundled=True)) == {"reference"}
    submit(store, "Moths")
    assert write(store, claim_run, "w", 60).team == "Moths"


@pytest.mark.parametrize("name", ["reference", "Reference"])
def test_nobody_takes_the_name_of_the_baselines(store, name):
    with pytest.raises(UsageError, match="reserved for the baselines"):
        write(store, ensure_team, name)
    assert write(store, ensure_team, "reference", is_baseline_owner=True)
