"""Every way a solver can fail ends in the right verdict and a message, and the worker goes on."""

CASES = {
    # name: (solve, predict, verdict, what the message must say, is scored)
    "good": ("return Solution(zeros(model))", "", "OK", "", True),
    "raises": ("raise ValueError('my own fault')", "", "RTE", "my own fault", False),
    "nan-query": ("model.query(zeros(model) * np.nan)", "", "RTE", "NaN", False),
    "nan-solution": ("return Solution(zeros(model) + np.nan)", "", "RTE", "finite", False),
    "wrong-shape": ("return Solution(zeros(model)[:, :1])", "", "RTE", "expected (E, L, M, D)", False),
    "no-solution": ("return 42", "", "RTE", "Solution", False),
    "sleeps": ("time.sleep(600)", "", "TLE", "8", False),
    "sleeps-with-checkpoint": (
        "model.checkpoint(Solution(zeros(model)))\ntime.sleep(600)", "", "TLE", "checkpoint at 0 calls", True,
    ),
    "eats-memory": ("held = []\nwhile True: held.append(bytearray(2**26))", "", "MLE", "memory", False),
    "one-call-too-many": ("while True: model.query(zeros(model))", "", "RTE", "BudgetExhausted", False),
    "one-call-too-many-with-checkpoint": (
        "model.checkpoint(Solution(zeros(model)))\nwhile True: model.query(zeros(model))",
        "", "OK", "checkpoint at 0 calls", True,
    ),
    "catches-the-budget": (
        "try:\n    while True: model.query(zeros(model))\nexcept BudgetExhausted:\n    return Solution(zeros(model))",
        "", "OK", "", True,
    ),
    "asks-for-test-rows": ("model.query(zeros(model), split='test')", "", "RTE", "expected one of dev, train", False),
    "own-predict": (
        "return Solution(zeros(model), state={'shift': np.zeros(1)})",
        "return (response.logits[0] + state['shift']).argmax(-1)", "OK", "", True,
    ),
    "predict-out-of-range": (
        "return Solution(zeros(model))", "return np.full(response.logits.shape[1], 9)", "RTE", "out of range", False,
    ),
    "predict-looks-at-other-rows": (
        "return Solution(zeros(model))",
        "gap = response.logits[0, :, 1] - response.logits[0, :, 0]\nreturn (gap > gap.mean()).astype(np.int64)",
        "PV", "row-wise", False,
    ),
    "predict-raises": ("return Solution(zeros(model))", "raise ValueError('secret test row')", "RTE", "predict", False),
}  # fmt: skip


def test_each_bad_solver_gets_its_verdict_and_the_worker_goes_on(cli, mini_round):
    cli.run("round", "create", mini_round)
    numbers = {}
    for name, (solve, predict, *_) in CASES.items():
        folder = cli.solver(name, solve, predict=predict)
        numbers[name] = cli.json("submit", folder, "--round", "mini", "--team", name)["submission"]
    cli.run("worker", "--until-idle")
    board = {entry["solver"]: entry for entry in cli.json("round", "show", "mini")["entries"]}
    assert set(board) == set(CASES)
    for name, (_, _, verdict, message, is_scored) in CASES.items():
        (run,) = cli.json("status", numbers[name])["runs"]
        assert run["verdict"] == board[name]["verdict"] == verdict, (name, run)
        assert message in run["message"], (name, run)
        assert (run["score"] is not None) is is_scored, (name, run)
        assert (board[name]["rank"] is not None) is is_scored, name
        assert run["calls"] <= run["budget_calls"] == 40, name
        # A failure in `predict` gives a reason and never the participant's text: it has seen test rows.
        assert "secret test row" not in str(run)
    assert board["catches-the-budget"]["calls"] == 40
    assert board["good"]["score"] == board["own-predict"]["score"]


def test_try_of_a_failing_solver_exits_with_one(cli, mini_round):
    folder = cli.solver("raises", "raise ValueError('my own fault')")
    done = cli.run("try", folder, "--round", mini_round, expect=1)
    assert "RTE" in done.stdout
    assert "my own fault" in done.stdout
