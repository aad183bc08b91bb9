"""How a solver's end becomes a verdict, in both official modes."""

import json

import pytest

from harness.sandbox.outcome import PredictReason

SOLVER = """
class S:
    def solve(self, task, model):
{body}
"""


def solver(body):
    return SOLVER.format(body="\n".join("        " + line for line in body.strip().splitlines()))


def test_solve_trivial_returns_solution(sandbox):
    result = sandbox.solve(
        """
class S:
    def __init__(self, k): self.k = k
    def solve(self, task, model):
        print("k", self.k, task.name, task.train.labels.tolist(), task.train.texts[3], len(task.dev))
        base = model.place(np.ones((2, 3, 4)))
        a = model.query(np.ones((2, 2, 3, 4)), outputs=("logits", "features"))
        b = model.query(np.ones((1, 3, 4)), layer=1, base=base, rows=[0, 2], split="dev")
        print(a.logits[0, 0].tolist(), a.features.shape, b.logits.shape, b.features, model.calls_left)
        wording = model.wording("{p}{text} ü [M]", ["bad", ["good", "great"]], probe_words=["x"])
        solution = Solution(np.ones((2, 2, 3, 4)), (wording, wording), ("logits",),
                            {"w": np.arange(3), "ok": np.array([True]), "empty": np.zeros((0, 4), "f2")})
        model.checkpoint(solution)
        return solution
    @staticmethod
    def predict(response, state): ...
""",
        params={"k": 7},
        policy={"max_ensemble": 2},
    )
    assert result["verdict"] == "OK", result
    assert result["log"].splitlines() == [
        "k 7 sst2 [1, 0, 1, 0] ('poor', 'ürg') 4",
        "[0.5, 24.0] (2, 4, 4) (1, 2, 2) None 97",
    ]
    assert result["state"] == {"w": ["<i8", [0, 1, 2]], "ok": ["|b1", [True]], "empty": ["<f2", []]}
    assert result["requests"] == [
        [[2, 2, 3, 4], None, None, "train", None, 0, ["logits", "features"]],
        [[1, 3, 4], 1, 1, "dev", [0, 2], 0, ["logits"]],
    ]
    assert result["wordings"] == [1, 1]
    assert result["wording_requests"][0]["words"] == [["bad"], ["good", "great"]]
    assert result["n_checkpoints"] == 1
    assert result["has_predict"]
    assert result["calls_left"] == 97
    assert 0 < result["cpu_s"] < 20
    assert 0 < result["solver_s"] <= result["wall_s"]
    assert result["peak_rss_bytes"] > 10 << 20
    assert "numpy" in result["versions"]


@pytest.mark.parametrize(
    ("body", "verdict", "message"),
    [
        ("raise ValueError('boom')", "RTE", "ValueError: boom"),
        ("import socket; socket.socket()", "RTE", "(the sandbox has no network and no other processes"),
        ("import transformers", "RTE", "(the sandbox has Python's library, numpy, scipy"),
        ("import sys; sys.exit(0)", "RTE", "SystemExit"),
        ("import os; os._exit(0)", "RTE", "exit status 0"),
        ("import os; os.abort()", "RTE", "signal 6"),
        ("import ctypes; ctypes.string_at(0)", "RTE", "signal 11"),
        ("return 5", "RTE", "expected a harness.api.Solution, got int"),
        ("return None", "RTE", "NoneType"),
        ("return Solution(np.zeros((1, 2, 3)))", "RTE", "expected (E, L, M, D) = (1..1, 2, 3, 4)"),
        ("return Solution(np.zeros((2, 2, 3, 4)))", "RTE", "(2, 2, 3, 4)"),
        ("return Solution(np.zeros((0, 2, 3, 4)))", "RTE", "(0, 2, 3, 4)"),
        ("return Solution(GOOD * np.nan)", "RTE", "NaN"),
        ("return Solution(GOOD + 2e4)", "RTE", "magnitudes up to 10000"),
        ("return Solution('x')", "RTE", "float32"),
        ("return Solution(GOOD, outputs=('layer_std',))", "RTE", "Solution.outputs"),
        ("return Solution(GOOD, outputs=('features',))", "RTE", "expected 'logits' among them"),
        ("return Solution(GOOD, outputs=())", "RTE", "Solution.outputs"),
        ("from harness.api import Wording\nreturn Solution(GOOD, (Wording(3),))", "RTE", "Solution.wordings"),
        ("return Solution(GOOD, state={'a': np.zeros(2000)})", "RTE", "state has 16000 bytes, expected at most 10000"),
        ("return Solution(GOOD, state={'a': np.array(['x'])})", "RTE", "array 'state.a' has type <U1"),
        ("return Solution(GOOD, state={'a': np.array([object()])})", "RTE", "type object"),
        ("return Solution(GOOD, state={'a': np.array([np.inf])})", "RTE", "state['a'] contains NaN or infinity"),
        ("return Solution(GOOD, state={7: GOOD})", "RTE", "key 7"),
        ("return Solution(GOOD, state=[])", "RTE", "expected a mapping"),
    ],
)
def test_solve_bad_end_gives_verdict_and_says_why(sandbox, body, verdict, message):
    result = sandbox.solve(solver(body), policy={"state_bytes": 10_000, "max_ensemble": 1})
    assert result["verdict"] == verdict
    assert message in result["message"]
    assert result["prompts"] is None


def test_solve_uncaught_exception_puts_traceback_into_log(sandbox):
    result = sandbox.solve(solver("print('before')\nraise ValueError('\\ud800 boom')"))
    assert result["verdict"] == "RTE"
    assert result["log"].startswith("before\nTraceback")
    assert "solver.py" in result["log"]


def test_solve_sleeping_is_time_limit(sandbox):
    result = sandbox.solve(solver("import time\ntime.sleep(600)"), policy={"solver_s": 1.0})
    assert result["verdict"] == "TLE"
    assert "1 s of solver time" in result["message"]


def test_solve_stopping_itself_is_time_limit(sandbox):
    body = "import signal\nsignal.raise_signal(signal.SIGSTOP)"
    assert sandbox.solve(solver(body), policy={"solver_s": 1.0})["verdict"] == "TLE"


def test_solve_spinning_is_cpu_limit(sandbox):
    body = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    result = sandbox.solve(solver(body), policy={"cpu_s": 1.0})
    assert result["verdict"] == "TLE"
    assert "CPU time" in result["message"]


def test_solve_waiting_for_service_is_not_charged_to_solver(sandbox):
    result = sandbox.solve(
        solver("for _ in range(4): model.query(GOOD)\nreturn Solution(GOOD)"), query_s=0.5, policy={"solver_s": 1.5}
    )
    assert result["verdict"] == "OK"
    assert result["wall_s"] > 2 > result["solver_s"]


def test_solve_waiting_for_what_is_written_down_is_not_charged_to_solver(sandbox):
    result = sandbox.solve(
        solver("for _ in range(4): model.query(GOOD)\nreturn Solution(GOOD)"), answered_s=0.6, policy={"solver_s": 1.5}
    )
    assert result["verdict"] == "OK"
    assert result["wall_s"] > 2.4 > 1.5 > result["solver_s"]


def test_solve_thinking_while_it_is_written_down_is_charged_to_solver(sandbox):
    body = "import time\nfor _ in range(3):\n    model.query(GOOD)\n    time.sleep(0.9)\nreturn Solution(GOOD)"
    result = sandbox.solve(solver(body), answered_s=0.6, policy={"solver_s": 2.0})
    assert result["verdict"] == "TLE"


@pytest.mark.parametrize(
    "body",
    [
        "hold = []\nwhile True: hold.append(bytearray(16 << 20))",
        "np.ones(1 << 36)",
        "import mmap\nhold = []\nwhile True:\n    hold.append(mmap.mmap(-1, 16 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))\n    hold[-1].write(bytes(16 << 20))",
    ],
    ids=["bytearrays", "one-array", "private-mappings"],
)
def test_solve_allocating_without_end_is_memory_limit(sandbox, body):
    result = sandbox.solve(
        solver("try:\n    " + body.replace("\n", "\n    ") + "\nexcept OSError as error: raise MemoryError from error"),
        policy={"memory_bytes": 300 << 20},
    )
    assert result["verdict"] == "MLE", result["message"]


def test_solve_one_call_too_many_is_refused_and_reported(sandbox):
    result = sandbox.solve(solver("for _ in range(6): model.query(GOOD)"), budget=5)
    assert (result["verdict"], result["out_of_budget"], result["calls_left"]) == ("RTE", True, 0)
    assert "BudgetExhausted" in result["message"]


def test_solve_catching_the_refusal_hands_in(sandbox):
    body = """
try:
    model.query(np.zeros((6, 2, 3, 4)))
except BudgetExhausted as error:
    print(error, model.calls_left)
    return Solution(GOOD)
"""
    result = sandbox.solve(solver(body), budget=5)
    assert (result["verdict"], result["calls_left"]) == ("OK", 5)
    assert result["log"] == "6 calls asked, 5 left 5\n"


def test_solve_raising_budget_error_itself_is_not_out_of_budget(sandbox):
    result = sandbox.solve(solver("raise BudgetExhausted('really')"), budget=5)
    assert (result["verdict"], result["out_of_budget"]) == ("RTE", False)


def test_solve_invalid_queries_are_relayed_until_the_limit(sandbox):
    body = """
for n in range(100):
    try: model.query(GOOD[0])
    except InvalidQuery as error: print(n, flush=True)
"""
    result = sandbox.solve(solver(body), policy={"max_invalid_queries": 5})
    assert result["verdict"] == "PV"
    assert result["log"].split() == ["0", "1", "2", "3"]
    assert (result["invalid_queries"], result["n_answered"]) == (5, 5)


MALFORMED = [
    "model.query('x')",
    "model.query(GOOD, layer=1.5)",
    "model.query(GOOD, base=3)",
    "model.query(GOOD, rows=[[0]])",
    "model.query(GOOD, rows=[0.5])",
    "model.query(GOOD, split=1)",
    "model.query(GOOD, wording=1)",
    "model.query(GOOD, outputs=[1])",
    "model.query(GOOD * np.nan)",
    "model.query(np.broadcast_to(GOOD, (1 << 22, 2, 3, 4)))",
    "model.query(np.zeros((4000, 2, 3, 4)), outputs=('features',), rows=np.arange(1 << 13))",
    "model.wording('x' * 70000, [])",
    "model.wording(5, [])",
    "model.checkpoint(Solution(GOOD[0]))",
    "model.checkpoint(5)",
    "model.place(GOOD)",
]


def test_solve_malformed_requests_raise_invalid_query_and_go_on(sandbox):
    tries = [f"try: {call}\nexcept InvalidQuery: print('refused')\nelse: print({call!r})" for call in MALFORMED]
    result = sandbox.solve(solver("\n".join([*tries, "model.query(GOOD)", "return Solution(GOOD)"])))
    assert result["verdict"] == "OK", result
    assert result["log"].splitlines() == ["refused"] * len(MALFORMED)
    assert result["calls_left"] == 99


def test_solve_queries_from_threads_are_served_one_by_one(sandbox):
    body = """
from concurrent.futures import ThreadPoolExecutor
def ask(n):
    try: return model.query(np.full((1, 2, 3, 4), n)).logits[0, 0, 1] == 24 * n
    except BudgetExhausted: return None
with ThreadPoolExecutor(8) as pool: found = list(pool.map(ask, range(60)))
print(found.count(True), found.count(None))
return Solution(GOOD)
"""
    result = sandbox.solve(solver(body), budget=50)
    assert (result["verdict"], result["log"]) == ("OK", "50 10\n")


def test_solve_log_flood_is_truncated_and_not_fatal(sandbox):
    body = "import sys\nfor _ in range(200): sys.stdout.write('x' * 65536)\nreturn Solution(GOOD)"
    result = sandbox.solve(solver(body), policy={"log_bytes": 1000})
    assert (result["verdict"], result["log"], result["log_truncated"]) == ("OK", "x" * 1000, True)


def test_solve_log_of_invalid_utf8_is_kept_as_bytes(sandbox):
    result = sandbox.solve(solver("import os\nos.write(1, b'\\xff\\x00')\nreturn Solution(GOOD)"))
    assert result["log_b64"] == "/wA="


@pytest.mark.parametrize(
    ("source", "entry", "message"),
    [
        ("class S: pass", "solver:T", "no class 'T'"),
        ("S = 5", "solver:S", "no class 'S'"),
        ("import nothing_like_that", "solver:S", "nothing_like_that"),
        ("def", "solver:S", "SyntaxError"),
        ("", "json:JSONDecoder", "comes from a library"),
        ("raise SystemExit", "solver:S", "cannot be loaded"),
        ("class S:\n    def __init__(self): raise KeyError('k')", "solver:S", "KeyError"),
        ("class S: pass", "solver:S", "no attribute 'solve'"),
    ],
)
def test_solve_unloadable_submission_is_runtime_error(sandbox, source, entry, message):
    result = sandbox.solve(source, entry=entry)
    assert result["verdict"] == "RTE"
    assert message in result["message"]
    assert not result["has_predict"]


def test_solve_hostile_key_reaches_people_short_and_printable(sandbox):
    body = """
import json, os, struct
meta = {"layer": None, "base": None, "split": "train", "wording": 0, "outputs": [], "arrays": []}
meta = json.dumps(meta | {"\\x1b]0;owned\\x07" * 2000: 1}).encode()
os.write(3, struct.pack("<4sBBHIIQ", b"GFA1", 19, 0, 0, 1, len(meta), 0) + meta)
time.sleep(60)
"""
    result = sandbox.solve(solver("import time" + body))
    assert result["verdict"] == "PV"
    assert "Extra inputs" in result["message"]
    assert result["message"].isprintable()
    assert len(result["message"]) < 1000


def test_solve_failure_of_service_is_ours(sandbox):
    result = sandbox.solve(solver("model.query(GOOD)"), raises="engine on fire")
    assert result["error"] == "InfrastructureError"
    assert "engine on fire" in result["text"]


def test_solve_inbound_budget_is_enforced(sandbox):
    result = sandbox.solve(
        solver("for _ in range(9): model.query(np.zeros((10, 2, 3, 4)))"), policy={"inbound_bytes": 5000}
    )
    assert result["verdict"] == "PV"
    assert "5000 bytes" in result["message"]


def test_predict_fresh_process_answers_each_batch(sandbox):
    source = """
print("at import")
class S:
    @staticmethod
    def predict(response, state):
        print("logits", response.logits)
        state["w"] += 1
        return (response.logits.mean(0) @ state["w"]).astype(int)
"""
    result = sandbox.predict(source, [[[[1, 2], [3, 4]]], [[[5, 6]]]], {"w": [0.0, 1.0]})
    assert result == {"verdict": "OK", "reason": "", "has_predict": True, "predictions": [[5, 11], [17]]}


@pytest.mark.parametrize(
    ("body", "verdict", "reason"),
    [
        ("raise ValueError(str(response.logits))", "RTE", "raised"),
        ("return [0.5, 1.0]", "RTE", "bad_return"),
        ("return [1]", "RTE", "bad_return"),
        ("return None", "RTE", "bad_return"),
        ("import os; os._exit(3)", "RTE", "died"),
        ("import time; time.sleep(99)", "TLE", "time"),
        ("np.ones(1 << 36)", "MLE", "memory"),
        ("import os; os.write(3, bytes(99))", "PV", "protocol"),
    ],
)
def test_predict_failure_gives_reason_code_alone(sandbox, body, verdict, reason):
    source = f"class S:\n    @staticmethod\n    def predict(response, state):\n        {body}"
    result = sandbox.predict(source, [[[[1, 2], [3, 4]]]], policy={"predict_s": 2.0})
    assert (result["verdict"], result["reason"], result["predictions"]) == (verdict, reason, None)


@pytest.mark.parametrize("reason", PredictReason)
def test_every_predict_failure_has_its_sentence(reason):
    assert reason.explanation


def test_predict_missing_method_says_so(sandbox):
    result = sandbox.predict("class S: pass", [[[[1, 2]]]])
    assert (result["reason"], result["has_predict"]) == ("no_predict", False)


def test_solve_scientific_libraries_work(sandbox):
    body = """
import cma, scipy.optimize, sklearn.linear_model, joblib
best, _ = cma.fmin2(lambda x: float((x ** 2).sum()), [1.0, 1.0], 0.5, {"verbose": -9, "seed": 3, "maxfevals": 100})
fit = sklearn.linear_model.LogisticRegression().fit([[0.0], [1.0]], [0, 1])
print(joblib.Parallel(n_jobs=1)(joblib.delayed(abs)(-n) for n in range(2)))
print(scipy.optimize.minimize_scalar(lambda x: (x - 2) ** 2).x.round(3), fit.predict([[3.0]]).tolist())
import asyncio, tempfile, logging, shutil
async def one(): return 1
print(asyncio.run(one()))
with tempfile.NamedTemporaryFile() as file: print(file.name.startswith("/scratch/"))
open("a", "w").write("x"); shutil.copyfile("a", "b"); print(open("b").read())
return Solution(GOOD)
"""
    result = sandbox.solve(solver(body))
    assert result["verdict"] == "OK", result["log"] + result["message"]
    assert result["log"].split("\n") == ["[0, 1]", "2.0 [1]", "1", "True", "x", ""]


def test_solve_torch_works_single_threaded(sandbox):
    body = """
import torch
x = torch.randn(300, 300)
print(torch.get_num_threads(), bool((x @ x).isfinite().all()), torch.linalg.svd(x)[1].shape[0])
print(torch.backends.cpu.get_cpu_capability())
torch.save({"x": x}, "x.pt"); print(torch.load("x.pt")["x"].equal(x))
return Solution(GOOD, state={"x": x.numpy()})
"""
    result = sandbox.solve(solver(body), policy={"memory_bytes": 2 << 30})
    assert result["verdict"] == "OK", result["log"] + result["message"]
    import torch

    assert result["log"].split() == ["1", "True", "300", torch.backends.cpu.get_cpu_capability(), "True"]


def test_solve_torch_allocation_failure_is_memory_limit(sandbox):
    result = sandbox.solve(solver("import torch\ntorch.ones(1 << 36)"), policy={"memory_bytes": 1 << 30})
    assert result["verdict"] == "MLE", result["message"]


def test_solve_child_starts_without_heavy_modules(sandbox):
    body = "import sys\nprint(sorted(m for m in ('torch', 'scipy', 'pydantic', 'sqlalchemy', 'transformers', 'harness.sandbox.process', 'harness.sandbox.host', 'harness.sandbox.wire.messages') if m in sys.modules))\nreturn Solution(GOOD)"
    assert sandbox.solve(solver(body))["log"] == "[]\n"


def test_solve_hash_seed_and_environment_are_fixed(sandbox):
    body = "import os, json\nprint(json.dumps([dict(os.environ), hash('a')]))\nreturn Solution(GOOD)"
    first, second = (json.loads(sandbox.solve(solver(body))["log"]) for _ in range(2))
    assert first == second
    assert set(first[0]) == {
        *("HOME", "TMPDIR", "LANG", "PATH", "PWD", "PYTHONHASHSEED", "PYTHONUNBUFFERED", "OMP_NUM_THREADS"),
        *("OMP_DYNAMIC", "MKL_NUM_THREADS", "MKL_DYNAMIC", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
        *("JOBLIB_MULTIPROCESSING", "PYTHONWARNINGS"),
    }
