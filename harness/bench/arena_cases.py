"""Cases of the whole path: the overhead of sandbox, meter and scheduler per forward call."""

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from harness.bench.line import BenchLine, BenchRefused
from harness.bench.machine import peak_bytes, reset_peak
from harness.config import load_round
from harness.records import Verdict
from harness.rounds.intake import read_submission_or_baseline
from harness.sandbox import require_mode
from harness.session.artifact import Artifact
from harness.session.attempt import RunSpec, run_attempt, solver_params
from harness.session.loaded_round import LoadedRound
from harness.session.trace import response_digest

__all__ = ["ARENA_CASES"]

_N_ROUNDS = 10
_N_QUERIES = 30
_N_WARM_UP = 3
_N_RUNS = 4
_SOLVER = f"""
import json
import time

import numpy as np

from harness.api import Solution


class Timer:
    def solve(self, task, model):
        info = model.info
        prompt = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)
        seconds = []
        for _ in range({_N_WARM_UP + _N_QUERIES}):
            started = time.perf_counter()
            model.query(prompt)
            seconds.append(time.perf_counter() - started)
        print(json.dumps(seconds))
        return Solution(prompt)
"""

_REPLY_BYTES = 512
_PEER = f"""
import socket
import sys
import time

here, n_bytes = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
request, seconds = bytes(n_bytes), []
for _ in range({_N_WARM_UP + _N_QUERIES}):
    started = time.perf_counter()
    here.sendall(request)
    here.recv({_REPLY_BYTES}, socket.MSG_WAITALL)
    seconds.append(time.perf_counter() - started)
print(seconds[{_N_WARM_UP}:])
"""


def _bare_peer(call: Callable[[], object], n_bytes: int) -> list[float]:
    """Return the seconds of calls requested by a plain process that sends as many bytes.

    The difference to a call in this process is the machine's own cost: two processes that wake each
    other, and cold caches.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-I", "-S", "-c", _PEER, str(theirs.fileno()), str(n_bytes)]
        with subprocess.Popen(command, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE) as peer:
            theirs.close()
            for _ in range(_N_WARM_UP + _N_QUERIES):
                ours.recv(n_bytes, socket.MSG_WAITALL)
                call()
                ours.sendall(bytes(_REPLY_BYTES))
            printed, _ = peer.communicate()
    seconds: list[float] = json.loads(printed)
    return seconds


def _transport() -> BenchLine:
    """Time queries of one candidate in turns: from the sandbox, in this process, and from a bare process.

    The forward call takes twenty times as long as the overhead, and the machine's speed drifts by
    more than that; hence the turns.
    """
    arena = LoadedRound(load_round("toy"))
    arena = LoadedRound(_with_budget(arena.config, _N_WARM_UP + _N_QUERIES))
    task = arena.config.task[0]
    seed = task.kshot_seeds[0]
    encoded = arena.encode(arena.task(task.name).wording, arena.task(task.name).data.kshot[seed][0])
    info = arena.engine.info
    prompt = np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)

    def call() -> None:
        arena.evaluate("bench", arena.engine.check(encoded, prompt), split="train")

    def in_process() -> list[float]:
        seconds = []
        for _ in range(_N_WARM_UP + _N_QUERIES):
            started = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - started)
        return seconds[_N_WARM_UP:]

    here: list[float] = []
    there: list[float] = []
    bare: list[float] = []
    outside: list[float] = []
    expected = response_digest(arena.engine.evaluate(encoded, prompt))
    with tempfile.TemporaryDirectory(prefix="gradfree-bench-") as folder:
        solver = Path(folder) / "timer"
        solver.mkdir()
        (solver / "solver.toml").write_text('name = "timer"\nentry = "solver:Timer"\n')
        (solver / "solver.py").write_text(_SOLVER)
        reset_peak("cpu")
        for _ in range(_N_ROUNDS):
            here += in_process()
            bare += _bare_peer(call, prompt.nbytes)
            artifact = _attempt(arena, str(solver), task.name, seed)
            seconds = json.loads(artifact.log)
            there += seconds[_N_WARM_UP:]
            outside.append((sum(seconds) - artifact.usage.engine_s) / len(seconds))
            if any(entry.response != expected for entry in artifact.trace):
                raise BenchRefused(
                    "transport: the sandboxed queries differ in bits from the same queries in this process"
                )
        peak = peak_bytes("cpu")
    details = {
        "overhead_us": 1e6 * (median(there) - median(here)),
        "bare_overhead_us": 1e6 * (median(bare) - median(here)),
        # From the same queries, so that drift of the machine's speed cancels.
        "outside_engine_us": 1e6 * median(outside),
        "queries": len(there),
    }
    return _line(arena, "transport", median(here), median(there), peak, details)


def _together() -> BenchLine:
    """Run BBTv2 four times in sequence, then four at once, and compare all response digests."""
    arena = LoadedRound(load_round("toy"))
    arena.load()
    specs = [(task.name, task.kshot_seeds[0]) for task in arena.config.task[:_N_RUNS]]
    for name, _ in specs:
        arena.task(name)
    _attempt(arena, "bbtv2", *specs[0])  # warm-up of sandbox and engine
    started = time.perf_counter()
    alone = [_attempt(arena, "bbtv2", *spec) for spec in specs]
    in_sequence = time.perf_counter() - started
    together: list[Artifact | None] = [None] * len(specs)

    def work(number: int) -> None:
        together[number] = _attempt(arena, "bbtv2", *specs[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(specs))]
    reset_peak("cpu")
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    at_once = time.perf_counter() - started
    for one, other in zip(alone, together, strict=True):
        if other is None or one.trace != other.trace or one.predictions != other.predictions:
            raise BenchRefused(f"together: {one.task} differs in bits between a run alone and beside others")
    calls = sum(artifact.usage.calls for artifact in alone)
    details = {"in_sequence_s": in_sequence, "at_once_s": at_once, "at_once_over_sequence": at_once / in_sequence}
    return _line(arena, "together", in_sequence / calls, at_once / calls, peak_bytes("cpu"), details)


def _attempt(arena: LoadedRound, path: str, task: str, seed: int) -> Artifact:
    """Run one attempt without a store.

    Raises:
        BenchRefused: the verdict is not OK.
    """
    submission, is_baseline = read_submission_or_baseline(path, arena.config)
    spec = RunSpec(submission, solver_params(arena.config, submission, is_baseline=is_baseline), task, seed, 7)
    with tempfile.TemporaryDirectory(prefix="gradfree-bench-") as folder:
        artifact = run_attempt(arena, spec, Path(folder), require_mode())
    if artifact.verdict is not Verdict.OK:
        raise BenchRefused(f"{path} on {task} ended with {artifact.verdict.value}: {artifact.message}")
    return artifact


def _with_budget(config: Any, calls: int) -> Any:
    """Return the round with another budget in calls."""
    tasks = tuple(task.model_copy(update={"budget_calls": calls}) for task in config.task)
    return config.model_copy(update={"task": tasks})


def _line(
    arena: LoadedRound, name: str, reference: float, engine: float, peak: int, details: dict[str, Any]
) -> BenchLine:
    """Report two ways of making the same calls with equal bits."""
    return BenchLine(
        case=name,
        device=arena.profile.device,
        dtype=arena.profile.dtype,
        reference_s_per_call=reference,
        engine_s_per_call=engine,
        ratio=reference / engine,
        useful_tflops=None,
        peak_share=None,
        max_abs_diff=0.0,
        peak_bytes=peak,
        details={"about": ARENA_CASES[name][0], **details},
    )


ARENA_CASES: dict[str, tuple[str, Callable[[], BenchLine]]] = {
    "transport": (
        "toy model, one candidate: in this process, from inside the sandbox, and from a bare process",
        _transport,
    ),
    "together": ("toy round, BBTv2: four runs in sequence, and four at once", _together),
}
"""Case name to its description and its function."""
