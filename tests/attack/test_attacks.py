"""Hostile solvers: each tries one thing; in a sandbox it must fail, without its layer it must work.

The control shows that the attack itself is sound: an attack that cannot succeed proves nothing.
"""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from attack_table import ATTACKS, HOSTILE, case
from delegated_groups import delegated_group
from in_store import read, write

from harness.errors import UsageError
from harness.executors.threads import ThreadsExecutor
from harness.metering import Meter, meter, read_journal
from harness.records import Phase
from harness.rounds.export import export_round
from harness.rounds.intake import submit
from harness.rounds.lifecycle import create_round
from harness.rounds.logs import read_logs
from harness.sandbox import SandboxMode, requests
from harness.session import attempt, incumbents
from harness.session.attempt import RunSpec, run_attempt
from harness.session.blackbox import MeteredBlackBox
from harness.session.incumbents import MAX_INCUMBENTS
from harness.session.loaded_round import LoadedRound
from harness.session.submission import read_submission
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed.rounds import find_round, set_phase
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import get_submission
from harness.worker.worker import Worker
from leaderboard.static_board import write_static_board

pytestmark = pytest.mark.attack

SOLVE = sorted(name for name, attack in ATTACKS.items() if attack.stage == "solve")
WHOLE = sorted(name for name, attack in ATTACKS.items() if attack.stage != "solve")
FILES = {path.name: path.read_text() for path in sorted(HOSTILE.glob("*.py"))}


def run_solve(runner, attack, given, limits, **grouped):
    """Against the small counting service; in any mode."""
    limits = dict(limits)
    budget = limits.pop("budget", 1_000_000)
    result = runner.solve(
        FILES["solver.py"],
        prelude=False,
        extra={name: text for name, text in FILES.items() if name != "solver.py"},
        entry="solver:Hostile",
        params=given | {"module": attack.group, "name": attack.run.__name__},
        policy=limits,
        budget=budget,
        **grouped,
    )
    assert "error" not in result, result
    return result | {
        "charged": budget - result["calls_left"],
        "held_s": max(result["cpu_s"], result["solver_s"] if "solver_s" in limits else 0.0),
        "predictions": [],
    }


_LOADED = {}


def loaded_round(toy_arena, budget, predict_s, limits):
    """The toy round's first task under a budget and limits, with its data; shared by most attempts."""
    key = (budget, predict_s, *sorted(limits.items()))
    if key in _LOADED:
        return _LOADED[key]
    config = toy_arena.config
    task = config.task[0].model_copy(update={"budget_calls": budget, "test_limit": 150})
    small = {"solver_s": 20.0, "predict_s": predict_s, "memory_bytes": 1 << 30, **limits}
    loaded = LoadedRound(config.model_copy(update={"task": (task,), "limits": config.limits.model_copy(update=small)}))
    loaded.__dict__["backbone"] = toy_arena.backbone
    loaded.__dict__["engine"] = toy_arena.engine
    _LOADED[key] = loaded
    return loaded


def run_whole(runner, attack, given, limits, toy_arena, folder):
    """A whole attempt on the toy round: real meter, real model, real scoring."""
    limits = dict(limits)
    budget = limits.pop("budget", 100)
    arena = loaded_round(toy_arena, budget, 1.0 if attack.hold_s else 10.0, limits)
    source = folder / "hostile"
    shutil.copytree(HOSTILE, source, ignore=shutil.ignore_patterns("__pycache__"))
    entry = "Predicting" if attack.stage == "predict" else "Hostile"
    (source / "solver.toml").write_text(f'name = "hostile"\nentry = "solver:{entry}"\n')
    spec = RunSpec(
        submission=read_submission(source, 1 << 20),
        params=given | {"module": attack.group, "name": attack.run.__name__},
        task=arena.config.task[0].name,
        kshot_seed=8,
        solver_seed=1,
    )
    work = folder / "attempt"
    work.mkdir()
    artifact = run_attempt(arena, spec, work, SandboxMode(runner.mode))
    journal = sum(entry.calls for entry in read_journal(work / "journal.jsonl"))
    assert journal == artifact.usage.calls, "what was charged is what the journal says"
    return {
        "verdict": artifact.verdict.value,
        "log": artifact.log,
        "message": artifact.message,
        "charged": artifact.usage.calls,
        "budget": budget,
        "held_s": artifact.wall_s,
        "predictions": artifact.predictions or [],
        "n_incumbents": len(artifact.incumbents),
    }


def run_arena(runner, attack, given, limits, toy_arena, folder):
    """Through submission, worker, stores, board and export; `log` is all that others may read of it."""
    limits = dict(limits)
    config = toy_arena.config
    changed = {
        "task": (config.task[0].model_copy(update={"budget_calls": 20, "test_limit": 150, "kshot_seeds": (8,)}),),
        "limits": config.limits.model_copy(update={"submission_bytes": 1 << 20, "memory_bytes": 1 << 30}),
        "visibility": config.visibility.model_copy(update={"logs": limits.pop("logs")}),
    }
    config = config.model_copy(update=changed)
    predicts = attack.stage == "arena predict"
    write_submission(folder / "hostile", attack, given, predicts=predicts)
    paths = ArenaPaths(folder / "arena")
    with SealedStore.open(paths) as store, Publisher.open(paths, store) as publisher:
        create_round(store, publisher, config)
        number = submit(store, publisher, paths, config, folder / "hostile", "us")
        executor = ThreadsExecutor(paths.attempts)
        loaded = LoadedRound(config)
        loaded.__dict__["backbone"] = toy_arena.backbone
        loaded.__dict__["engine"] = toy_arena.engine
        executor._rounds.loaded[config.digest()] = loaded
        worker = Worker(store, publisher, paths, SandboxMode(runner.mode), executor=executor)
        assert worker.run_until_idle() == 1
        (run,) = read(store, get_submission, number).runs
        seen = read_by_others(store, paths, config.name, number, folder / "seen")
        if predicts:
            for phase in (Phase.CLOSED, Phase.PUBLISHED):
                write(store, lambda tx, phase=phase: set_phase(tx, find_round(tx, config.name), phase))
            publisher.publish()
            seen += read_by_others(store, paths, config.name, number, folder / "seen-then")
    return {
        "verdict": run.verdict.value,
        "log": seen,
        "message": "",
        "charged": run.calls,
        "budget": 20,
        "held_s": 0.0,
        "predictions": [],
    }


def read_by_others(store, paths, name, number, folder):
    """The public database, the board as files, the export, and the team's logs as far as it may read them."""
    files = [*paths.home.glob("public.db*"), *write_static_board(paths.public_db, folder, name)]
    export_round(store, paths, name, folder / "export.zip")
    with zipfile.ZipFile(folder / "export.zip") as archive:
        found = [archive.read(member) for member in archive.namelist()]
    found += [path.read_bytes() for path in files]
    # A database's own bytes are no escape sequences.
    text = b"\n".join(found).decode("latin-1").replace("\x1b", " ")
    assert "hostile" in text, "the submission is there to be read"
    with contextlib.suppress(UsageError):
        text += "".join(log.message + log.text for log in read_logs(store, paths, number))
    return text


def write_submission(folder, attack, given, *, predicts):
    """The hostile modules as a submission that starts by its manifest alone."""
    shutil.copytree(HOSTILE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    params = {"module": attack.group, "name": attack.run.__name__, "control": given["control"]}
    lines = [f"{name} = {json.dumps(value)}" for name, value in params.items()]
    entry = "Predicting" if predicts else "Hostile"
    manifest = ['name = "hostile"', f'entry = "solver:{entry}"', "[params]", *lines, ""]
    (folder / "solver.toml").write_text("\n".join(manifest))


def got_through(attack, result):
    """Whether there is any proof that the attack worked, in anything that leaves the sandbox."""
    text = result["log"] + result["message"]
    return (
        "GOT" in text
        or result.get("n_incumbents", 0) > MAX_INCUMBENTS + 1
        # What reaches people: the raw log of the counting service does not.
        or "\x1b" in (result["message"] if attack.stage == "solve" else text)
        or (attack.hold_s is not None and result["held_s"] > attack.hold_s)
        or (attack.stage == "predict" and 1 in result["predictions"])
    )


def judge(attack, result, arena, record_property):
    """The common check: nothing got through, it ended as it must, and no canary was touched."""
    assert not got_through(attack, result), result
    assert result["verdict"] == attack.verdict, result
    assert arena.token not in json.dumps(result, default=str), "the canary's content came out"
    assert not arena.was_touched(), "a canary was opened, or a listener visited"
    assert arena.is_unchanged(), "labels, database, ledger and other submissions are as they were"
    how = result["verdict"]
    if "FAILED" in result["log"] and how == "OK":
        code = result["log"].rpartition("FAILED ")[2].partition(" ")[0]
        how = os.strerror(int(code))[:22] if code.isdecimal() else code
        assert (int(code) if code.isdecimal() else code) in case.REFUSALS.get(attack.layer, {code}), result
    assert children() == set(), "nothing survives"
    record_property("result", how)


def children():
    """Process numbers of this process's children, without the server that runs cases as another user."""
    found = set()
    for path in Path("/proc/self/task").glob("*/children"):
        found |= set(map(int, path.read_text().split()))
    return {pid for pid in found if "kit.py" not in Path(f"/proc/{pid}/cmdline").read_text()}


def label(record_property, attack, part):
    record_property("attack", attack.name)
    record_property("layer", attack.layer)
    record_property("part", part)


@contextlib.contextmanager
def grouping(attack, runner):
    """What else the run gets where a control group is the layer; skips where there is none."""
    if not attack.controller:
        yield {}
        return
    with delegated_group(attack.controller, runner.uid) as folder:
        yield {"control_group": str(folder), "n_tasks": attack.n_tasks}
        assert [path for path in folder.iterdir() if path.is_dir()] == [], "the solver's group is gone"


@pytest.mark.parametrize("name", SOLVE)
def test_attack_in_sandbox_fails(sandbox, arena, record_property, name):
    attack = ATTACKS[name]
    label(record_property, attack, sandbox.mode)
    arena.is_unchanged()
    given = arena.given() | {"control": False}
    times = 2 if attack.control == "bare" else 1
    with grouping(attack, sandbox) as grouped:
        for _ in range(times):
            result = run_solve(sandbox, attack, given, attack.limits, **grouped)
    if attack.layer in (case.SESSION, "wire protocol") and attack.control == "sound" and "skip" not in name:
        assert result["charged"] <= 1, "a broken frame is never charged"
    judge(attack, result, arena, record_property)


@pytest.mark.parametrize("name", WHOLE)
def test_attack_on_an_attempt_fails(own_mode, toy_arena, arena, tmp_path, record_property, name):
    attack = ATTACKS[name]
    label(record_property, attack, own_mode.mode)
    arena.is_unchanged()
    given = arena.given() | {"control": False}
    run = run_arena if attack.stage.startswith("arena") else run_whole
    result = run(own_mode, attack, given, attack.limits, toy_arena, tmp_path)
    assert result["charged"] <= result["budget"]
    judge(attack, result, arena, record_property)


def _serve_test_rows(monkeypatch):
    start = MeteredBlackBox.__init__

    def init(self, arena, task, splits, *others):
        start(self, arena, task, splits | {"test": task.data.test}, *others)

    monkeypatch.setattr(MeteredBlackBox, "__init__", init)


def _charge_a_size_once(monkeypatch):
    charge, seen = Meter.reserve, set()

    def reserve(self, *size):
        if size in seen:
            return 0
        seen.add(size)
        return charge(self, *size)

    monkeypatch.setattr(Meter, "reserve", reserve)


PATCHES = {
    "query-test-rows": _serve_test_rows,
    "repeat-a-cached-query": _charge_a_size_once,
    "name-incumbents-without-end": lambda patch: patch.setattr(incumbents, "MAX_INCUMBENTS", 1000),
    "query-few-rows": lambda patch: patch.setattr(meter, "call_cost", lambda p, n, n_train: p * n // n_train),
    "move-the-cursor-of-a-terminal": lambda patch: patch.setattr(requests, "printable", lambda text: text),
    "print-escape-sequences": lambda patch: patch.setattr(attempt, "printable", lambda text: text),
    "send-a-very-long-message": lambda patch: patch.setattr(requests, "_MESSAGE_CHARS", 1 << 20),
}
"""How each check on the host's side is taken out, for the control."""


def needs_no_process_of_its_own(attack):
    """Whether the control is a few system calls without isolation, under the usual limits."""
    is_short = attack.layer in (case.SECCOMP, case.MOUNTS) and not attack.limits and not attack.relaxed
    return attack.control == "unsafe" and attack.stage == "solve" and is_short


@pytest.fixture(scope="session")
def shared_controls(unsafe, arena):
    """Logs of such controls, all made in one process without isolation: name -> log."""
    short = {name: attack for name, attack in ATTACKS.items() if needs_no_process_of_its_own(attack)}
    result = unsafe.solve(
        FILES["solver.py"],
        prelude=False,
        extra={name: text for name, text in FILES.items() if name != "solver.py"},
        entry="solver:Controls",
        params=arena.given()
        | {"control": True, "attacks": {name: [attack.group, attack.run.__name__] for name, attack in short.items()}},
        policy={"solver_s": 300.0, "cpu_s": 100.0},
    )
    return json.loads(result["log"]) if result.get("verdict") == "OK" else {}


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_attack_without_its_layer_works(
    own_mode, unsafe, shared_controls, toy_arena, arena, tmp_path, monkeypatch, record_property, name
):
    attack = ATTACKS[name]
    label(record_property, attack, "control")
    if "GOT" in shared_controls.get(name, ""):
        proof = True
    elif attack.control == "bare":
        proof = run_bare(attack, arena, tmp_path)
    else:
        if attack.control == "patched":
            PATCHES[name](monkeypatch)
        runner = unsafe if attack.control == "unsafe" else own_mode
        given = arena.given() | {"control": True}
        limits = {**attack.limits, **attack.relaxed}
        if attack.stage == "solve":
            with grouping(attack, runner):
                ungrouped = {"control_group": ""} if attack.controller else {}
                result = run_solve(runner, attack, given, limits, **ungrouped)
        else:
            run = run_arena if attack.stage.startswith("arena") else run_whole
            result = run(runner, attack, given, limits, toy_arena, tmp_path)
        if case.Unsupported.__name__ in result["log"]:
            pytest.skip(f"NOT COUNTED: {name}: {result['log'].rpartition('| ')[2].strip()}")
        if result["log"].startswith(f"FAILED {errno.ENOSYS} "):
            pytest.skip(f"NOT COUNTED: {name}: this kernel has no such call")
        is_refused = result["log"].startswith((f"FAILED {errno.EPERM} ", f"FAILED {errno.EACCES} "))
        if attack.needs == "root" and os.geteuid() != 0 and is_refused:
            pytest.skip(f"NOT COUNTED: {name}: the kernel itself refuses an ordinary user")
        proof = got_through(attack, result)
        assert proof, result
    assert proof
    arena.was_touched()
    assert arena.is_unchanged(), "the control must do no harm either"
    record_property("result", "works")


def run_bare(attack, arena, folder):
    """In a plain child process that inherits everything; called twice, for what it may leave behind."""
    code = (
        f"import json, sys; sys.path.append({str(HOSTILE)!r}); import {attack.group} as group\n"
        "given = json.loads(sys.argv[1])\n"
        "for _ in range(2):\n"
        f"    try: print('GOT', group.{attack.run.__name__}(given, None))\n"
        "    except Exception as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arena.given())],
        capture_output=True,
        text=True,
        check=False,
        close_fds=False,
        cwd=folder,
    )
    return "GOT" in done.stdout


def test_canaries_notice_a_visit(arena):
    """The detector's own control: opening a canary, and knocking at a listener, is seen."""
    arena.was_touched()
    assert not arena.was_touched()
    arena.labels.read_text()
    assert arena.was_touched()
    arena.ledger.open("a").close()
    assert arena.was_touched()
