"""Runs one solver in a sandbox against a small real service; importable, or a server on stdin.

As a server it reads one JSON case per line and answers one JSON line each: that is how a test
that runs as root tries user mode, in a process of an ordinary user with another interpreter.
"""

import base64
import contextlib
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from harness.api.outputs import Response
from harness.api.types import ModelInfo, Split, Task
from harness.errors import BudgetExhausted, GradfreeError, InvalidQuery
from harness.sandbox import SandboxMode, SandboxPolicy, SubmissionSource, process, run_predict, run_solve
from harness.sandbox.host.control_group import CGROUPS_VARIABLE

INFO = ModelInfo("toy", 2, 4, 3, 0.1, 100, outputs=("logits", "features"), max_ensemble=2)
SPLIT = Split((("good",), ("bad",), ("fine",), ("poor", "ürg")), np.array([1, 0, 1, 0]))
TASK = Task("sst2", "accuracy", ("neg", "pos"), "{p}{text}[M]", ("bad", "good"), 8, 1, SPLIT, SPLIT)
POLICY = {"solver_s": 20.0, "cpu_s": 20.0, "predict_s": 20.0, "memory_bytes": 1 << 30}

PRELUDE = """
import numpy as np
from harness.api import BudgetExhausted, InvalidQuery, Solution
GOOD = np.zeros((1, 2, 3, 4), np.float32)
"""


class CountingService:
    """A linear model behind an exact budget, with the contract's refusals."""

    def __init__(self, budget, raises=None, query_s=0.0, answered_s=0.0):
        self.info = dataclasses.replace(INFO, max_calls=budget)
        self.calls_left = budget
        self.placed = []
        self.wordings = []
        self.checkpoints = []
        self.requests = []
        self.raises = raises
        self.query_s = query_s
        self.answered_s = answered_s
        self.n_answered = 0

    def place(self, prompt):
        if prompt.shape != (2, 3, 4):
            raise InvalidQuery(f"prompt has shape {prompt.shape}, expected (2, 3, 4)")
        self.placed.append(prompt)
        return len(self.placed)

    def answered(self):
        time.sleep(self.answered_s)
        self.n_answered += 1

    def query(self, request):
        if self.raises:
            raise RuntimeError(self.raises)
        time.sleep(self.query_s)
        if request.values.ndim != 4 - (request.layer is not None) or not np.isfinite(request.values).all():
            raise InvalidQuery(f"values has shape {request.values.shape} or is not finite")
        cost = len(request.values)
        if cost > self.calls_left:
            raise BudgetExhausted(f"{cost} calls asked, {self.calls_left} left")
        self.calls_left -= cost
        self.requests.append(request)
        n_rows = len(SPLIT) if request.rows is None else len(request.rows)
        total = request.values.reshape(cost, -1).sum(1)
        logits = np.stack([np.full((cost, n_rows), 0.5), np.repeat(total[:, None], n_rows, 1)], -1)
        features = np.ones((cost, n_rows, 4), np.float32) if "features" in request.outputs else None
        return Response(logits=logits.astype(np.float32), features=features)

    def wording(self, request):
        self.wordings.append(request)
        return len(self.wordings)

    def checkpoint(self, solution):
        self.checkpoints.append(solution)


def submission(source, extra=None):
    """Write a submission folder that any user may read."""
    folder = Path(tempfile.mkdtemp(prefix="case-"))
    folder.chmod(0o755)
    (folder / "solver.py").write_text(source)
    for name, text in (extra or {}).items():
        (folder / name).write_text(text)
    return folder


def solve(
    mode,
    source,
    *,
    budget=100,
    raises=None,
    query_s=0.0,
    answered_s=0.0,
    params=None,
    entry="solver:S",
    policy=None,
    extra=None,
    control_group=None,
    n_tasks=None,
):
    """Run `solve`; return everything that a test may look at, as JSON values.

    `control_group` is the folder delegated for this run ("" for none, None for what the environment
    says), `n_tasks` another bound on its threads than the resource limits have.
    """
    folder = submission(source, extra)
    service = CountingService(budget, raises, query_s, answered_s)
    limits = SandboxPolicy(**{**POLICY, **(policy or {})})
    try:
        with _delegated(control_group, n_tasks):
            outcome = run_solve(SubmissionSource(folder, entry, params or {}), TASK, service, limits, SandboxMode(mode))
    except GradfreeError as error:
        return {"error": type(error).__name__, "text": str(error)}
    finally:
        shutil.rmtree(folder)
    result = {
        field.name: getattr(outcome, field.name)
        for field in dataclasses.fields(outcome)
        if field.name not in ("log", "solution")
    }
    result |= {
        "log": outcome.log.decode("utf-8", "backslashreplace"),
        "log_b64": base64.b64encode(outcome.log).decode(),
        "prompts": None if outcome.solution is None else outcome.solution.prompts.tolist(),
        "state": None
        if outcome.solution is None
        else {name: [array.dtype.str, array.tolist()] for name, array in outcome.solution.state.items()},
        "wordings": None if outcome.solution is None else [w.id for w in outcome.solution.wordings],
        "calls_left": service.calls_left,
        "n_answered": service.n_answered,
        "n_checkpoints": len(service.checkpoints),
        "requests": [
            [list(r.values.shape), r.layer, r.base, r.split, r.rows, r.wording, r.outputs] for r in service.requests
        ],
        "placed": [prompt.tolist() for prompt in service.placed],
        "wording_requests": [dataclasses.asdict(wording) for wording in service.wordings],
    }
    return result


@contextlib.contextmanager
def _delegated(control_group, n_tasks):
    before, usual = os.environ.get(CGROUPS_VARIABLE), process.N_TASKS
    if control_group is not None:
        os.environ[CGROUPS_VARIABLE] = control_group
    if n_tasks is not None:
        process.N_TASKS = n_tasks
    try:
        yield
    finally:
        process.N_TASKS = usual
        os.environ.pop(CGROUPS_VARIABLE, None)
        if before is not None:
            os.environ[CGROUPS_VARIABLE] = before


def predict(mode, source, batches, state=None, *, policy=None):
    """Run `predict` on logits given as nested lists."""
    folder = submission(source)
    limits = SandboxPolicy(**{**POLICY, **(policy or {})})
    responses = [Response(logits=np.array(batch, np.float32)) for batch in batches]
    arrays = {name: np.array(value) for name, value in (state or {}).items()}
    try:
        outcome = run_predict(SubmissionSource(folder, "solver:S"), responses, arrays, limits, SandboxMode(mode))
    except GradfreeError as error:
        return {"error": type(error).__name__, "text": str(error)}
    finally:
        shutil.rmtree(folder)
    return {
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "has_predict": outcome.has_predict,
        "predictions": None if outcome.predictions is None else [p.tolist() for p in outcome.predictions],
    }


def serve():
    """Answer cases until the end of the input."""
    sys.stdout.write(json.dumps({"python": sys.version, "uid": os.geteuid()}) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        case = json.loads(line)
        result = {"solve": solve, "predict": predict}[case["call"]](*case["args"], **case["kwargs"])
        sys.stdout.write(json.dumps(result, default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
