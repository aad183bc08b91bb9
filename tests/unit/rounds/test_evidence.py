"""Exports that stand alone, rejudges that change nothing before they are applied, private scores that stay private."""

import contextlib
import json
import socket
import sqlite3
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from harness.store.writer import utc_now
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import UsageError
from harness.metrics.official import score
from harness.records import Usage, Verdict
from harness.rounds.export import export_round
from harness.rounds.logs import read_logs
from harness.rounds.verify import verify_export
from harness.store import (
    ArenaPaths,
    Phase,
    PublicStore,
    Publisher,
    RoundFacts,
    RunResult,
    SealedStore,
    TaskFacts,
)
from leaderboard.static_board import write_static_board

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LABELS = np.random.default_rng(0).integers(0, 2, 200)
IS_PUBLIC = np.arange(200) % 2 == 0
TASKS = (TaskFacts("sst2", "accuracy", 400, (8, 13)), TaskFacts("snli", "f1_macro", 400, (8, 13)))


@pytest.fixture
def arena(tmp_path):
    paths = ArenaPaths(tmp_path / "arena")
    with SealedStore.open(paths) as sealed, Publisher.open(paths, sealed) as publisher:
        add_round(sealed)
        yield sealed, publisher, paths


def add_round(sealed, version="1.0", **more):
    import hashlib

    rules = json.dumps({"version": version})
    digest = hashlib.sha256(rules.encode()).hexdigest()
    sealed.add_round(RoundFacts("toy", version, digest, rules, TASKS, **more))
    for task in TASKS:
        sealed.keep_test_set(
            "toy", version, task.name, digest="d" * 64, n_classes=2, labels=LABELS, is_public=IS_PUBLIC
        )


def result(claim, share, salt=0):
    generator = np.random.default_rng([claim.origin_id, claim.kshot_seed, len(claim.task), salt])
    predictions = np.where(generator.random(LABELS.size) < share, LABELS, 1 - LABELS)
    metric = {task.name: task.metric for task in TASKS}[claim.task]
    public, private = (score(metric, LABELS[rows], predictions[rows], 2) for rows in (IS_PUBLIC, ~IS_PUBLIC))
    return RunResult(
        Verdict.OK, public, private, Usage(calls=int(100 * share), test_examples=200), 400, NOW, NOW,
        predictions=predictions, test_curve=((10, public, private),), artifact_path="x.json", artifact_sha256="e" * 64,
        hashes={"code": "old", "model": "same"},
    )  # fmt: skip


def run_all(sealed, share, salt=0):
    n_runs = 0
    while claim := sealed.claim_run("w", 60):
        sealed.finish_run(claim, sealed.start_attempt(claim), result(claim, share, salt))
        n_runs += 1
    return n_runs


def enter(sealed, team, share, name="cma", **more):
    sealed.ensure_team(team, is_baseline_owner=more.get("is_baseline", False))
    number = sealed.add_submission("toy", team, name, "b" * 64, "x", **more)
    run_all(sealed, share)
    return number


def finish_round(sealed, publisher):
    sealed.set_phase("toy", Phase.CLOSED)
    sealed.set_phase("toy", Phase.PUBLISHED)
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
    with (
        zipfile.ZipFile(tmp_path / "toy.zip") as archive,
        zipfile.ZipFile(tmp_path / "other.zip", "w") as changed,
    ):
        for name in archive.namelist():
            if name != "predictions/2.json":
                changed.writestr(name, archive.read(name))
        changed.writestr("labels/extra.json", "{}")
    assert verify_export(tmp_path / "other.zip").problems == (
        "predictions/2.json: missing",
        "labels/extra.json: not in the manifest",
    )


def test_a_forged_score_with_a_mended_digest_is_found_by_computing(arena, tmp_path):
    import hashlib

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
    staged = sealed.stage_rejudge("toy", "the scorer was wrong")
    assert (staged.n_runs, staged.n_runs_done) == (8, 0)
    # Again floods no queue; and whoever comes meanwhile goes first.
    assert sealed.stage_rejudge("toy") == staged
    sealed.ensure_team("Otters")
    sealed.add_submission("toy", "Otters", "late", "b" * 64, "x")
    assert sealed.claim_run("w", 60).team == "Otters"
    with pytest.raises(UsageError, match="have not ended"):
        sealed.apply_rejudge("toy")
    assert run_all(sealed, 0.5, salt=1) == 3 + 8
    assert sealed.quota("toy", "Lynx").used == 1
    late = sealed.list_submissions("toy")[-1]
    assert len(sealed.list_submissions("toy")) == 3
    sealed.sweep_expired()
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        assert public.submission(first).entry.score == before[first]
    seen = sealed.get_rejudge("toy")
    assert (seen.n_runs_done, len(seen.differences)) == (8, 8)
    assert sealed.apply_rejudge("toy") == 8
    publisher.publish()
    after = public_dump(paths)
    assert after[first] != before[first]
    assert after[second] != before[second]
    assert {run.score_public for run in sealed.get_submission(first).runs}
    rejudged = [event for event in sealed.events(first) if event.kind == "run rejudged"]
    assert len(rejudged) == 4
    assert set(rejudged[0].detail) == {"rejudge", "before", "after"}
    with pytest.raises(UsageError, match="no rejudge"):
        sealed.get_rejudge("toy")
    assert late.name == "late"


def test_a_staged_copy_is_cancelled_by_nobody_and_one_that_was_is_never_applied(arena):
    sealed, _, _ = arena
    number = enter(sealed, "Lynx", 0.9)
    before = sealed.get_submission(number)
    sealed.stage_rejudge("toy")
    (copy,) = [item for item in sealed.list_submissions(is_everything=True) if item.submission_id != number]
    with pytest.raises(UsageError, match=r"staged copy.*gradfree rejudge cancel toy"):
        sealed.cancel_submission(copy.submission_id)
    with sealed.engine.begin() as connection:
        # As an earlier version let a team do.
        connection.exec_driver_sql(
            f"UPDATE runs SET status = 'cancelled' WHERE submission_id = {copy.submission_id}"
        )
        connection.exec_driver_sql(
            f"UPDATE submissions SET status = 'cancelled' WHERE id = {copy.submission_id}"
        )
    with pytest.raises(UsageError, match=f"staged submissions {copy.submission_id} were cancelled"):
        sealed.apply_rejudge("toy")
    assert sealed.get_submission(number) == before
    sealed.cancel_rejudge("toy")


def test_a_cancelled_rejudge_leaves_everything_as_it_was(arena):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", 0.9)
    publisher.publish()
    before = public_dump(paths)
    sealed.stage_rejudge("toy")
    claim = sealed.claim_run("w", 60)
    sealed.finish_run(claim, sealed.start_attempt(claim), result(claim, 0.5, 1))
    sealed.cancel_rejudge("toy")
    publisher.publish()
    assert public_dump(paths) == before
    assert not sealed.has_waiting_runs()


def test_a_round_with_a_staged_rejudge_is_not_published_over_it(arena):
    sealed, publisher, _ = arena
    enter(sealed, "Lynx", 0.9)
    sealed.stage_rejudge("toy")
    run_all(sealed, 0.5, salt=1)
    sealed.set_phase("toy", Phase.CLOSED)
    with pytest.raises(UsageError, match="has a staged rejudge; apply it or cancel it first"):
        sealed.set_phase("toy", Phase.PUBLISHED)
    sealed.cancel_rejudge("toy")
    sealed.set_phase("toy", Phase.PUBLISHED)
    publisher.publish()


def test_scores_made_with_other_code_than_the_newest_are_named_and_marked(arena):
    sealed, publisher, paths = arena
    old = enter(sealed, "Lynx", 0.9)
    assert sealed.stale_submissions("toy") == {}
    sealed.ensure_team("Moths")
    sealed.add_submission("toy", "Moths", "x", "b" * 64, "x")
    while claim := sealed.claim_run("w", 60):
        changed = replace(result(claim, 0.7, 0), hashes={"code": "new", "model": "same"}, ended_at=utc_now())
        sealed.finish_run(claim, sealed.start_attempt(claim), changed)
    assert sealed.stale_submissions("toy") == {old: ("code",)}

    def marked():
        publisher.publish()
        with PublicStore.open(paths.public_db) as public:
            return {entry.submission_id for entry in public.board("toy").entries if entry.is_stale}

    assert marked() == {old}
    sealed.stage_rejudge("toy")
    while claim := sealed.claim_run("w", 60):
        again = replace(result(claim, 0.7, 0), hashes={"code": "new", "model": "same"}, ended_at=utc_now())
        sealed.finish_run(claim, sealed.start_attempt(claim), again)
    sealed.apply_rejudge("toy")
    assert marked() == set()


def test_a_score_that_does_not_say_its_profile_is_not_stale_for_that_and_another_profile_is(arena):
    sealed, publisher, paths = arena
    made_with = ({"code": "same"}, {"code": "same", "profile": "amx"}, {"code": "same", "profile": "avx2"})
    numbers = []
    for number, hashes in enumerate(made_with):
        sealed.ensure_team(f"team {number}")
        numbers.append(sealed.add_submission("toy", f"team {number}", "x", "b" * 64, "x"))
        while claim := sealed.claim_run("w", 60):
            ended = replace(result(claim, 0.7, 0), hashes=hashes, ended_at=utc_now())
            sealed.finish_run(claim, sealed.start_attempt(claim), ended)
        if number == 1:
            assert sealed.stale_submissions("toy") == {}
    assert sealed.stale_submissions("toy") == {numbers[1]: ("profile",)}
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
    assert sealed.add_repeats("toy", "bbtv2", 3) == 3
    assert sealed.add_repeats("toy", "bbtv2", 3) == 0
    seeds = {run.solver_seed for run in sealed.get_submission(number).runs}
    repeats = [
        item for item in sealed.list_submissions("toy", is_everything=True) if item.submission_id != number
    ]
    assert all(seeds.isdisjoint(run.solver_seed for run in item.runs) for item in repeats)
    salt = 0
    while claim := sealed.claim_run("w", 60):
        salt += 1
        sealed.finish_run(claim, sealed.start_attempt(claim), result(claim, 0.75, salt))
    publisher.publish()
    with PublicStore.open(paths.public_db) as public:
        board = public.board("toy")
    assert [entry.submission_id for entry in board.entries] == [number]
    floor = board.round.noise["bbtv2"]
    assert floor.n_repeats == 3
    assert 0 < floor.std < floor.difference
    with pytest.raises(UsageError, match="no reference method 'nope'"):
        sealed.add_repeats("toy", "nope", 3)


def test_no_private_score_is_in_anything_public_before_publication(arena, tmp_path):
    """A sentinel in every sealed place: it must be in no public table, export, page, log or answer of a command."""
    sealed, publisher, paths = arena
    sealed.ensure_team("Lynx")
    number = sealed.add_submission("toy", "Lynx", "cma", "b" * 64, "x")
    sentinel = 12.345678912345
    labels_digest = "d" * 64
    while claim := sealed.claim_run("w", 60):
        own = result(claim, 0.8)
        sealed.finish_run(
            claim,
            sealed.start_attempt(claim),
            RunResult(
                Verdict.OK, own.score_public, sentinel, Usage(calls=10, test_examples=200), 400, NOW, NOW,
                predictions=own.predictions, test_curve=((5, 50.0, sentinel), (10, own.score_public, sentinel)),
            ),
        )  # fmt: skip
    sealed.stage_rejudge("toy")
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
            sealed.set_phase("toy", phase)
        seen = public_bytes()
        assert repr(sentinel).encode() not in seen
        assert b"12.345678" not in seen
        assert labels_digest.encode() not in seen
        assert sealed.find_round("toy").secret.encode() not in seen
    sealed.cancel_rejudge("toy")
    sealed.set_phase("toy", Phase.PUBLISHED)
    # The positive control: after publication it is everywhere.
    assert public_bytes().count(repr(sentinel).encode()) > 4
    assert repr(sentinel).encode() in said()


def test_an_export_tells_nothing_of_other_rounds_nor_the_words_of_our_faults(arena, tmp_path):
    sealed, publisher, paths = arena
    enter(sealed, "Lynx", 0.8)
    other = RoundFacts("other", "1.0", "c" * 64, "{}", TASKS)
    sealed.add_round(other)
    sealed.ensure_team("Otters")
    hidden = sealed.add_submission("other", "Otters", "secret weapon", "f" * 64, "x")
    claim = sealed.claim_run("worker 7", 60, "other")
    sealed.void_attempt(sealed.start_attempt(claim), "no such file: /srv/somewhere")
    ours = sealed.add_submission("toy", "Lynx", "again", "b" * 64, "x")
    sealed.void_attempt(
        sealed.start_attempt(sealed.claim_run("worker 7", 60, "toy")), "row 7: the text of a row"
    )
    sealed.cancel_submission(ours, "they told me something in private")
    sealed.add_grant("toy", "Lynx", 2, "illness in the family")
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
    assert any("row 7" in str(event.detail) for event in sealed.events(ours)), "the organizer can read it"


def test_the_rules_leave_with_publication_and_until_then_without_the_seed(arena, tmp_path):
    sealed, publisher, paths = arena
    rules = {"round": {"seed": 918273645, "test_labels": "sealed"}, "model": {"source": "path:/srv/models/m"}}
    sealed.add_round(RoundFacts("toy", "3.0", "e" * 64, json.dumps(rules), TASKS))
    enter(sealed, "Lynx", 0.8)
    publisher.publish()
    export_round(sealed, paths, "toy", tmp_path / "toy.zip")
    with zipfile.ZipFile(tmp_path / "toy.zip") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
        assert json.loads(archive.read("rules.json"))["model"] == {"source": "path:m"}
    assert b"918273645" not in everything
    assert b"/srv/models" not in everything
    assert verify_export(tmp_path / "toy.zip").problems == ()


def test_sealed_labels_stay_out_of_the_final_export_too(arena, tmp_path):
    sealed, publisher, paths = arena
    add_round(sealed, version="2.0", is_practice=False)
    enter(sealed, "Lynx", 0.8)
    finish_round(sealed, publisher)
    export_round(sealed, paths, "toy", tmp_path / "toy.zip")
    with zipfile.ZipFile(tmp_path / "toy.zip") as archive:
        assert not [name for name in archive.namelist() if name.startswith("labels/")]
    assert verify_export(tmp_path / "toy.zip").problems == ()
