"""What the sandbox costs at the start: from `run_solve` to the solver's first query, beside plain numpy.

Reference: a new process of the same interpreter that does `import numpy` and ends. Both in turn, in
this process, after a warm-up; medians. A start whose solver did not run isolated and hand in its
solution is not reported. Prints one JSON line: `make bench-sandbox`.
"""

import dataclasses
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import numpy as np

from harness.api.outputs import Response
from harness.api.types import ModelInfo, Split, Task
from harness.sandbox import SandboxPolicy, SubmissionSource, require_mode, run_solve

N_ROUNDS = 25
ALLOWED_S = 0.060
"""What the sandbox may add, by design."""
SOLVER = """
import sys
import numpy as np
from harness.api import Solution
class S:
    def solve(self, task, model):
        model.query(np.zeros((1, 2, 3, 4), np.float32))
        print("torch" in sys.modules)
        return Solution(np.zeros((1, 2, 3, 4), np.float32))
"""
SPLIT = Split((("good",), ("bad",)), np.array([1, 0]))
TASK = Task("sst2", "accuracy", ("neg", "pos"), "{p}{text}[M]", ("bad", "good"), 8, 1, SPLIT, SPLIT)


@dataclasses.dataclass
class Stopwatch:
    """A service that notes when it is first asked."""

    info = ModelInfo("toy", 2, 4, 3, 0.1, 100)
    calls_left: int = 100
    asked_at: float = 0.0

    def query(self, request):
        self.asked_at = time.perf_counter()
        return Response(logits=np.zeros((len(request.values), len(SPLIT), 2), np.float32))

    def answered(self):
        """Nothing is written down."""


def start_sandbox(source, mode):
    """Return seconds from the call to the first query."""
    service = Stopwatch()
    started = time.perf_counter()
    outcome = run_solve(source, TASK, service, SandboxPolicy(), mode)
    if outcome.verdict != "OK" or outcome.log != b"False\n":
        raise SystemExit(f"not reported: the solver ended with {outcome.verdict}: {outcome.message} {outcome.log!r}")
    return service.asked_at - started


def start_plain():
    """Return seconds of a process that imports numpy."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    return time.perf_counter() - started


def main():
    mode = require_mode()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "solver.py").write_text(SOLVER)
        source = SubmissionSource(Path(folder), "solver:S")
        for warm_up in (lambda: start_sandbox(source, mode), start_plain) * 2:
            warm_up()
        sandbox, plain = [], []
        for _ in range(N_ROUNDS):
            sandbox.append(start_sandbox(source, mode))
            plain.append(start_plain())
    added = median(sandbox) - median(plain)
    spread = quantiles([a - b for a, b in zip(sandbox, plain, strict=True)], n=4)
    line = {
        "case": "sandbox start to first query",
        "mode": mode.value,
        "sandbox_s": median(sandbox),
        "import_numpy_s": median(plain),
        "added_s": added,
        "added_quartiles_s": [spread[0], spread[2]],
        "allowed_s": ALLOWED_S,
        "is_within": added <= ALLOWED_S,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "n": N_ROUNDS,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
