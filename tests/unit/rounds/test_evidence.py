"""Exports that stand alone, rejudges that change nothing before they are applied, private scores that stay private."""

import contextlib
import hashlib
import json
import re
import socket
import sqlite3
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from in_store import read, write
from small_round import small_round
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import UsageError
from harness.metrics.official import score
from harness.records import Phase, RunSummary, Usage, Verdict
from harness.rounds.export import export_round
from harness.rounds.logs import read_logs
from harness.rounds.verify import verify_export
from harness.store.paths import ArenaPaths
from harness.store.public import PublicStore
from harness.store.public.publisher import Publisher
from harness.store.sealed import rejudges
from harness.store.sealed.attempts import finish_run, start_attempt, void_attempt
from harness.store.sealed.claims import claim_run, has_waiting_runs
from harness.store.sealed.events import read_events
from harness.store.sealed.evidence import stale_submissions
from harness.store.sealed.noise import add_repeats
from harness.store.sealed.queue import sweep_expired
from harness.store.sealed.replicates import TestSet, keep_test_set
from harness.store.sealed.rounds import add_round, find_round, set_phase
from harness.store.sealed.schema import SubmissionRow
from harness.store.sealed.store import SealedStore, utc_now
from harness.store.sealed.submissions import (
    add_submission,
    cancel_submission,
    find_submission,
    get_submission,
    list_submissions,
)
from harness.store.sealed.teams import add_grant, ensure_team, find_team, quota_of
from leaderboard.static_board import write_static_board

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LABELS = np.random.default_rng(0).integers(0, 2, 200)
IS_PUBLIC = np.arange(200) % 2 == 0
TASKS = (("sst2", "accuracy", 400, (8, 13)), ("snli", "f1_macro", 400, (8, 13)))


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path / "arena")
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        enter_round(sealed)
        yield sealed, publisher, paths


def enter_round(sealed, **more):
    with sealed.write() as tx:
        stored = add_round(tx, small_round(*TASKS, **more))
        row = find_round(tx, stored.config.name, stored.config.version)
        for name, _, _, _ in TASKS:
            keep_test_set(tx, row, name, TestSet(LABELS, IS_PUBLIC, 2, "d" * 64))


def of_round(sealed, act, *arguments, name="toy", **options):
    """Return what `act(tx, round_row, ...)` returns in a writing transaction."""
    with sealed.write() as tx:
        return act(tx, find_round(tx, name), *arguments, **options)


def result(claim, share, salt=0):
    """Return a result whose scores are those of its predictions, and the predictions."""
    generator = np.random.default_rng([claim.origin_id, claim.kshot_seed, len(claim.task), salt])
    predictions = np.where(generator.random(LABELS.size) < share, LABELS, 1 - LABELS)
    metric = {name: metric for name, metric, _, _ in TASKS}[claim.task]
    public, private = (score(metric, LABELS[rows], predictions[rows], 2) for rows in (IS_PUBLIC, ~IS_PUBLIC))
    summary = RunSummary(
        Verdict.OK, public, private, Usage(calls=int(100 * share), test_examples=200), NOW, NOW,
        incumbents=((10, public, private),), artifact_path="x.json", artifact_sha256="e" * 64,
        hashes={"code": "old", "model": "same"},
    )  # fmt: skip
    return summary, predictions


def finish(sealed, claim, summary, predictions):
    with sealed.write() as tx:
        finish_run(tx, claim, start_attempt(tx, claim), summary, predictions)


def run_all(sealed, share, salt=0, **changes):
    n_runs = 0
    while claim := write(sealed, claim_run, "w", 60):
        summary, predictions = result(claim, share, salt)
        finish(sealed, claim, replace(summary, **changes), predictions)
        n_runs += 1
    return n_runs


def hand_in(sealed, team, name="cma", *, round_name="toy", **more):
    with sealed.write() as tx:
        owner = ensure_team(tx, team, is_baseline_owner=more.get("is_baseline", False))
        row = SubmissionRow(team=owner, name=name, digest="b" * 64, path="x", **more)
        return add_submission(tx, find_round(tx, round_name), row).id


def enter(sealed, team, share, name="cma", **more):
    number = hand_in(sealed, team, name, **more)
    run_all(sealed, share)
    return number


def stage(sealed, reason=""):
    with sealed.write() as tx:
        return rejudges.to_stored_rejudge(tx, rejudges.stage_rejudge(tx, find_round(tx, "toy"), reason))


def staged(sealed):
    with sealed.read() as tx:
        return rejudges.to_stored_rejudge(tx, rejudges.find_rejudge(tx, find_round(tx, "toy")))


def end_rejudge(sealed, act):
    with sealed.write() as tx:
        return act(tx, rejudges.find_rejudge(tx, find_round(tx, "toy")))


def cancel(sealed, number, reason=""):
    with sealed.write() as tx:
        cancel_submission(tx, find_submission(tx, number), reason)


def list_of(sealed, **options):
    with sealed.read() as tx:
        return list_submissions(tx, find_round(tx, "toy"), **options)


def finish_round(sealed, publisher):
    of_round(sealed, set_phase, Phase.CLOSED)
    of_round(sealed, set_phase, Phase.PUBLISHED)
    publisher.publish()


@pytest.mark.parametrize("is_final", [False, True])
def test_an_exported_round_gives_its_ranking_again_in_another_folder(arena, tmp_path, is_final):
    sealed, publisher, paths = arena
    for team, share in (("Lynx", 0.8), ("Moths", 0.9), ("Otters", 0.6), ("Lynx", 0.7)):
        enter(sealed, team, share)
    enter(sealed, "reference", 0.75, "bbtv2", is_baseline=True)
    publisher.publish()
    if is_final:
        finish_round(sealed, publisher)
    export_round(sealed, paths, "toy", tmp_path / "toy.zip")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "toy.zip").rename(elsewhere / "toy.zip")
    (elsewhere / "toy.zip.sha256").write_bytes(b"\xff\xfe")
    assert verify_export(elsewhere / "toy.zip").problems == (
        "toy.zip: its bytes are not those that toy.zip.sha256 stands for",
    )
    (elsewhere / "toy.zip.sha256").unlink()
    report = verify_export(elsewhere / "toy.zip")
    assert report.problems == ()
    assert report.n_scores == (5 * 4 * 2 if is_final else 0)
    assert report.places == ((1, 2), (2, 1), (None, 5), (3, 3))


def test_the_same_round_gives_the_same_bytes(arena, tmp_path):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", 0.8)
    publisher.publish()
    assert export_round(sealed, paths, "toy", tmp_path / "a.zip") == export_round(
        sealed, paths, "toy", tmp_path / "b.zip"
    )


def test_every_changed_byte_is_found_and_its_file_is_named(arena, tmp_path):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", 0.8)
    enter(sealed, "Moths", 0.9)
    finish_round(sealed, publisher)
    target = tmp_path / "toy.zip"
    export_round(sealed, paths, "toy", target)
    whole = target.read_bytes()
    with zipfile.ZipFile(target) as archive:
        infos = archive.infolist()
    for info in infos:
        changed = bytearray(whole)
        # In the middle of the file's own compressed bytes.
        start = info.header_offset + 30 + len(info.filename)
        changed[start + info.compress_size // 2] ^= 1
        target.write_bytes(changed)
        if info.filename == "manifest.json":
            with pytest.raises(UsageError, match=r"manifest\.json"):
                verify_export(target)
        else:
            named = [line for line in verify_export(target).problems if line.startswith(f"{info.filename}: ")]
            assert len(named) == 1, (info.filename, named)
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(whole), 60):
        changed = bytearray(whole)
        changed[position] ^= 1
        target.write_bytes(changed)
        with contextlib.suppress(UsageError):
            assert verify_export(target).problems, position


def test_a_file_taken_out_or_put_in_is_named(arena, tmp_path):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", 0.8)
    finish_round(sealed, publisher)
    export_round(sealed, paths, "toy", tmp_path / "toy.zip")
    with zipfile.ZipFile(tmp_path / "toy.zip") as archive, zipfile.ZipFile(tmp_path / "other.zip", "w") as changed:
        for name in archive.namelist():
            if name != "predictions/2.json":
                changed.writestr(name, archive.read(name))
        changed.writestr("labels/extra.json", "{}")
    assert verify_export(tmp_path / "other.zip").problems == (
        "predictions/2.json: missing",
        "labels/extra.json: not in the manifest",
    )


def test_a_forged_score_with_a_mended_digest_is_found_by_computing(arena, tmp_path):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", 0.8)
    enter(sealed, "Moths", 0.9)
    finish_round(sealed, publisher)
    export_round(sealed, paths, "toy", tmp_path / "toy.zip")
    with zipfile.ZipFile(tmp_path / "toy.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    submissions = json.loads(files["submissions.json"])
    submissions[0]["runs"][0]["score"] = 99.0
    files["submissions.json"] = json.dumps(submissions).encode()
    manifest = json.loads(files["manifest.json"])
    manifest["files"]["submissions.json"] = hashlib.sha256(files["submissions.json"]).hexdigest()
    files["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(tmp_path / "forged.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    problems = verify_export(tmp_path / "forged.zip").problems
    assert any("submission 1, sst2 seed 8: score is 99.0" in problem for problem in problems)
    assert any("ranking.json: submission 1" in problem for problem in problems)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("predictions/1.json", lambda rows: rows[:-1]),
        ("labels/sst2.json", lambda labels: labels | {"is_public": labels["is_public"][1:]}),
        ("submissions.json", lambda _: [None]),
        ("ranking.json", lambda _: ["x"]),
    ],
)
def test_content_of_another_form_is_a_problem_that_is_told(arena, tmp_path, name, change):
    files = _exported_files(arena, tmp_path)
    files[name] = json.dumps(change(json.loads(files[name]))).encode()
    _write_zip(tmp_path / "forged.zip", files)
    problems = verify_export(tmp_path / "forged.zip").problems
    assert any(f"{name}: its bytes are not" in problem for problem in problems)
    assert any("cannot be read" in problem for problem in problems)


@pytest.mark.parametrize("field", ["round", "is_final", "digest", "files"])
def test_a_manifest_without_a_field_is_refused(arena, tmp_path, field):
    files = _exported_files(arena, tmp_path)
    manifest = json.loads(files["manifest.json"])
    del manifest[field]
    files["manifest.json"] = json.dumps(manifest).encode()
    _write_zip(tmp_path / "forged.zip", files)
    with pytest.raises(UsageError, match=r"manifest\.json is missing or damaged"):
        verify_export(tmp_path / "forged.zip")


def _exported_files(arena, tmp_path):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", 0.8)
    finish_round(sealed, publisher)
    export_round(sealed, paths, "toy", tmp_path / "toy.zip")
    with zipfile.ZipFile(tmp_path / "toy.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_a_staged_rejudge_changes_nothing_until_it_is_applied(arena):
    sealed, publisher, paths = arena
    first, second = enter(sealed, "Lynx", 0.9), enter(sealed, "Moths", 0.7)
    publisher.publish()
    before = public_dump(paths)
    first_stage = stage(sealed, "the scorer was wrong")
    assert (first_stage.n_runs, first_stage.n_runs_done) == (8, 0)
    # Again floods no queue; and whoever comes meanwhile goes first.
    assert stage(sealed) == first_stage
    hand_in(sealed, "Otters", "late")
    assert write(sealed, claim_run, "w", 60).team == "Otters"
    with pytest.raises(UsageError, match="have not ended"):
        end_rejudge(sealed, rejudges.apply_rejudge)
    assert run_all(sealed, 0.5, salt=1) == 3 + 8
    with sealed.read() as tx:
        assert quota_of(tx, find_round(tx, "toy"), find_team(tx, "Lynx")).used == 1
    late = list_of(sealed)[-1]
    assert len(list_of(sealed)) == 3
    write(sealed, sweep_expired)
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        assert public.submission(first).entry.score == before[first]
    seen = staged(sealed)
    assert (seen.n_runs_done, len(seen.differences)) == (8, 8)
    assert end_rejudge(sealed, rejudges.apply_rejudge) == 8
    publisher.publish()
    after = public_dump(paths)
    assert after[first] != before[first]
    assert after[second] != before[second]
    assert {run.score_public for run in read(sealed, get_submission, first).runs}
    rejudged = [event for event in read(sealed, read_events, first) if event.kind == "run rejudged"]
    assert len(rejudged) == 4
    assert set(rejudged[0].detail) == {"rejudge", "before", "after"}
    with pytest.raises(UsageError, match="no rejudge"):
        staged(sealed)
    assert late.name == "late"


def test_a_staged_copy_is_cancelled_by_nobody_and_one_that_was_is_never_applied(arena):
    sealed, _, paths = arena
    number = enter(sealed, "Lynx", 0.9)
    before = read(sealed, get_submission, number)
    stage(sealed)
    (copy,) = [item for item in list_of(sealed, is_everything=True) if item.submission_id != number]
    refused = CliRunner().invoke(app, ["cancel", str(copy.submission_id), "--home", str(paths.home)])
    assert isinstance(refused.exception, UsageError)
    assert re.search("staged copy.*gradfree rejudge cancel toy", str(refused.exception))
    assert read(sealed, get_submission, copy.submission_id) == copy
    with sealed.engine.begin() as connection:
        # As an earlier version let a team do.
        connection.exec_driver_sql(f"UPDATE runs SET status = 'cancelled' WHERE submission_id = {copy.submission_id}")
        connection.exec_driver_sql(f"UPDATE submissions SET status = 'cancelled' WHERE id = {copy.submission_id}")
    with pytest.raises(UsageError, match=f"staged submissions {copy.submission_id} were cancelled"):
        end_rejudge(sealed, rejudges.apply_rejudge)
    assert read(sealed, get_submission, number) == before
    end_rejudge(sealed, rejudges.cancel_rejudge)


def test_a_cancelled_rejudge_leaves_everything_as_it_was(arena):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", 0.9)
    publisher.publish()
    before = public_dump(paths)
    stage(sealed)
    claim = write(sealed, claim_run, "w", 60)
    finish(sealed, claim, *result(claim, 0.5, 1))
    end_rejudge(sealed, rejudges.cancel_rejudge)
    publisher.publish()
    assert public_dump(paths) == before
    assert not read(sealed, has_waiting_runs)


def test_a_round_with_a_staged_rejudge_is_not_published_over_it(arena):
    sealed, publisher, _ = arena
    enter(sealed, "Lynx", 0.9)
    stage(sealed)
    run_all(sealed, 0.5, salt=1)
    of_round(sealed, set_phase, Phase.CLOSED)
    with pytest.raises(UsageError, match="has a staged rejudge; apply it or cancel it first"):
        of_round(sealed, set_phase, Phase.PUBLISHED)
    end_rejudge(sealed, rejudges.cancel_rejudge)
    of_round(sealed, set_phase, Phase.PUBLISHED)
    publisher.publish()


def test_scores_made_with_other_code_than_the_newest_are_named_and_marked(arena):
    sealed, publisher, paths = arena
    old = enter(sealed, "Lynx", 0.9)
    assert of_round(sealed, stale_submissions) == {}
    hand_in(sealed, "Moths", "x")
    changed = {"code": "new", "model": "same"}
    run_all(sealed, 0.7, hashes=changed, ended_at=utc_now())
    assert of_round(sealed, stale_submissions) == {old: ("code",)}

    def marked():
        publisher.publish()
        with PublicStore.open(paths.public_db) as public:
            return {entry.submission_id for entry in public.board("toy").entries if entry.is_stale}

    assert marked() == {old}
    stage(sealed)
    run_all(sealed, 0.7, hashes=changed, ended_at=utc_now())
    end_rejudge(sealed, rejudges.apply_rejudge)
    assert marked() == set()


def test_a_score_that_does_not_say_its_profile_is_not_stale_for_that_and_another_profile_is(arena):
    sealed, publisher, paths = arena
    made_with = ({"code": "same"}, {"code": "same", "profile": "amx"}, {"code": "same", "profile": "avx2"})
    numbers = []
    for number, hashes in enumerate(made_with):
        numbers.append(hand_in(sealed, f"team {number}", "x"))
        run_all(sealed, 0.7, hashes=hashes, ended_at=utc_now())
        if number == 1:
            assert of_round(sealed, stale_submissions) == {}
    assert of_round(sealed, stale_submissions) == {numbers[1]: ("profile",)}
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        marked = {entry.submission_id for entry in public.board("toy").entries if entry.is_stale}
    assert numbers[1] in marked
    assert numbers[2] not in marked


def public_dump(paths):
    with PublicStore.open(paths.public_db) as public:
        return {entry.submission_id: entry.score for entry in public.submissions("toy")}


def test_repeats_of_a_baseline_give_the_round_its_noise_floor(arena):
    sealed, publisher, paths = arena
    number = enter(sealed, "reference", 0.75, "bbtv2", is_baseline=True)
    assert of_round(sealed, add_repeats, "bbtv2", 3) == 3
    assert of_round(sealed, add_repeats, "bbtv2", 3) == 0
    seeds = {run.solver_seed for run in read(sealed, get_submission, number).runs}
    repeats = [item for item in list_of(sealed, is_everything=True) if item.submission_id != number]
    assert all(seeds.isdisjoint(run.solver_seed for run in item.runs) for item in repeats)
    salt = 0
    while claim := write(sealed, claim_run, "w", 60):
        salt += 1
        finish(sealed, claim, *result(claim, 0.75, salt))
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        board = public.board("toy")
    assert [entry.submission_id for entry in board.entries] == [number]
    floor = board.round.noise["bbtv2"]
    assert floor.n_repeats == 3
    assert 0 < floor.std < floor.difference
    with pytest.raises(UsageError, match="no baseline 'nope'"):
        of_round(sealed, add_repeats, "nope", 3)


def test_no_private_score_is_in_anything_public_before_publication(arena, tmp_path):
    """A sentinel in every sealed place: it must be in no public table, export, page, log or answer of a command."""
    sealed, publisher, paths = arena
    number = hand_in(sealed, "Lynx")
    sentinel = 12.345678912345
    labels_digest = "d" * 64
    while claim := write(sealed, claim_run, "w", 60):
        own, predictions = result(claim, 0.8)
        finish(
            sealed,
            claim,
            RunSummary(
                Verdict.OK, own.score_public, sentinel, Usage(calls=10, test_examples=200), NOW, NOW,
                incumbents=((5, 50.0, sentinel), (10, own.score_public, sentinel)),
            ),
            predictions,
        )  # fmt: skip
    stage(sealed)
    run_all(sealed, 0.8)

    def public_bytes():
        publisher.publish()
        export_round(sealed, paths, "toy", tmp_path / "toy.zip")
        with zipfile.ZipFile(tmp_path / "toy.zip") as archive:
            exported = b"".join(archive.read(name) for name in archive.namelist())
        with sqlite3.connect(paths.public_db) as database:
            dump = "\n".join(database.iterdump()).encode()
        database.close()
        with PublicStore.open(paths.public_db) as public:
            page = repr((public.board("toy"), public.submission(number), public.submissions("toy"))).encode()
        files = write_static_board(paths.public_db, tmp_path / "static")
        assert {path.suffix for path in files} == {".html", ".json", ".csv"}
        logs = repr(read_logs(sealed, paths, number)).encode()
        return exported + dump + page + logs + b"".join(path.read_bytes() for path in files) + said()

    def said():
        """What the commands of a participant print."""
        answers = []
        for words in (("status", str(number)), ("round", "show", "toy"), ("round", "list")):
            for form in ((), ("--json",)):
                done = CliRunner().invoke(app, [*words, *form, "--home", str(paths.home)])
                assert done.exit_code == 0, done.output
                answers.append(done.output)
        return "".join(answers).encode()

    for phase in (None, Phase.FROZEN, Phase.CLOSED):
        if phase is not None:
            of_round(sealed, set_phase, phase)
        seen = public_bytes()
        assert repr(sentinel).encode() not in seen
        assert b"12.345678" not in seen
        assert labels_digest.encode() not in seen
        assert read(sealed, find_round, "toy").secret.encode() not in seen
    end_rejudge(sealed, rejudges.cancel_rejudge)
    of_round(sealed, set_phase, Phase.PUBLISHED)
    # The positive control: after publication it is everywhere.
    assert public_bytes().count(repr(sentinel).encode()) > 4
    assert repr(sentinel).encode() in said()


def test_an_export_tells_nothing_of_other_rounds_nor_the_words_of_our_faults(arena, tmp_path):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", 0.8)
    enter_round(sealed, name="other")
    hidden = hand_in(sealed, "Otters", "secret weapon", round_name="other")

    def fault(round_name, reason):
        with sealed.write() as tx:
            claim = claim_run(tx, "worker 7", 60, find_round(tx, round_name).id)
            void_attempt(tx, start_attempt(tx, claim), reason)

    fault("other", "no such file: /srv/somewhere")
    ours = hand_in(sealed, "Lynx", "again")
    fault("toy", "row 7: the text of a row")
    cancel(sealed, ours, "they told me something in private")
    with sealed.write() as tx:
        add_grant(tx, find_round(tx, "toy"), find_team(tx, "Lynx"), 2, "illness in the family")
    finish_round(sealed, publisher)
    export_round(sealed, paths, "toy", tmp_path / "toy.zip")
    with zipfile.ZipFile(tmp_path / "toy.zip") as archive:
        lines = archive.read("events.jsonl").decode()
    events = [json.loads(line) for line in lines.splitlines()]
    assert {"round added", "team added", "run ended", "attempt void", "phase changed"} <= {
        event["kind"] for event in events
    }
    assert hidden not in {event["submission"] for event in events}
    assert {"grant added", "submission cancelled", "run claimed"} <= {event["kind"] for event in events}
    machine = [socket.gethostname(), "worker 7", "in private", "illness"]
    for secret in ("Otters", "secret weapon", "/srv/somewhere", "the text of a row", *machine):
        assert secret not in lines
    assert any("row 7" in str(event.detail) for event in read(sealed, read_events, ours)), "the organizer can read it"


def test_the_rules_leave_with_publication_and_until_then_without_the_seed(arena, tmp_path):
    sealed, publisher, paths = arena
    model = {"source": "path:/srv/models/m", "n_prompt_tokens": 10}
    enter_round(sealed, version="3.0", seed=918273645, test_labels="sealed", model=model)
    enter(sealed, "Lynx", 0.8)
    publisher.publish()
    export_round(sealed, paths, "toy", tmp_path / "toy.zip")
    with zipfile.ZipFile(tmp_path / "toy.zip") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
        assert json.loads(archive.read("rules.json"))["model"]["source"] == "path:m"
    assert b"918273645" not in everything
    assert b"/srv/models" not in everything
    assert verify_export(tmp_path / "toy.zip").problems == ()


def test_sealed_labels_stay_out_of_the_final_export_too(arena, tmp_path):
    sealed, publisher, paths = arena
    enter_round(sealed, version="2.0", test_labels="sealed")
    enter(sealed, "Lynx", 0.8)
    finish_round(sealed, publisher)
    export_round(sealed, paths, "toy", tmp_path / "toy.zip")
    with zipfile.ZipFile(tmp_path / "toy.zip") as archive:
        assert not [name for name in archive.namelist() if name.startswith("labels/")]
    assert verify_export(tmp_path / "toy.zip").problems == ()
