import pytest

from harness.errors import InvalidSubmission
from harness.session.code_check import check_code
from harness.session.submission import read_submission

GOOD = "class Mine:\n    def solve(self, task, model):\n        return None\n"


def submission(folder, code, entry="solver:Mine", params=""):
    (folder / "solver.toml").write_text(f'name = "mine"\nentry = "{entry}"\n{params}')
    (folder / "solver.py").write_text(code)
    return read_submission(folder, 2**16)


@pytest.mark.parametrize(
    "code",
    [
        GOOD,
        "from base import Mine\n",
        "class Other:\n    pass\nMine = Other\n",
        "class Mine(Base):\n    pass\n",
        "try:\n    from fast import Mine\nexcept ImportError:\n    pass\n",
        "class Mine:\n    def solve(self, *arguments):\n        return None\n",
        "class Mine:\n    def solve(self, task, model, verbose=False, *, depth=3):\n        return None\n",
        "class Mine:\n    @staticmethod\n    def solve(task, model):\n        return None\n",
        "def search(self, task, model):\n    return None\nclass Mine:\n    solve = search\n",
    ],
)
def test_code_that_may_run_is_accepted(tmp_path, code):
    check_code(submission(tmp_path, code))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("class Mine:\n    def solve(self, task, model)\n        pass\n", r"solver\.py, line 2: expected ':'"),
        ("class Yours:\n    pass\n", r"no class 'Mine'.*it has Yours"),
        ("x = 1\n", "it has no class at all"),
        ("class Mine:\n    pass\n", r"line 1: class Mine has no method solve\(self, task, model\)"),
        ("class Mine:\n    def solve(self, task):\n        pass\n", "line 2: solve has 2 arguments"),
        ("class Mine:\n    def solve(self, task, model, x):\n        pass\n", "solve has 4 arguments"),
        ("class Mine:\n    def solve(self, task, model, *, x):\n        pass\n", "solve has 3 arguments"),
        ("class Mine:\n    async def solve(self, task, model):\n        pass\n", "has no method solve"),
        ("def Mine():\n    pass\n", "it has no class at all"),
        ("x = " + "(" * 5000, r"solver\.py"),
    ],
)
def test_code_that_cannot_run_is_refused_with_file_and_line(tmp_path, code, message):
    with pytest.raises(InvalidSubmission, match=message):
        check_code(submission(tmp_path, code))


def with_init(arguments):
    init = f"    def __init__({arguments}):\n        pass\n"
    return GOOD.replace("class Mine:\n", f"class Mine:\n{init}")


TAKES = [
    # arguments of __init__, solver.toml, what is wrong with them
    ("self, step", "[params]\nstep = 1\n", None),
    ("self, step=1", "", None),
    ("self, step", "[rounds.toy]\nstep = 1\n", None),
    ("self, *, step", "[params]\nstep = 1\n", None),
    ("self, /, step", "[params]\nstep = 1\n", None),
    ("self, **params", "[params]\nanything = 1\n", None),
    ("self, step=1", "[params]\nstpe = 1\n", r"\[params\]: 'stpe' is no parameter of class Mine; it takes step"),
    ("self, step=1", "[rounds.final]\nstpe = 1\n", r"\[rounds\.final\]: 'stpe' is no parameter"),
    ("self", "[params]\nstep = 1\n", "it takes none"),
    ("self, step, size=1", "[params]\nsize = 1\n", r"\[params\]: 'step' is missing"),
    ("self, *, step, size=1", "[params]\nsize = 1\n", r"\[params\]: 'step' is missing"),
]


@pytest.mark.parametrize(("arguments", "params", "message"), TAKES)
def test_parameters_are_those_that_the_class_takes(tmp_path, arguments, params, message):
    handed_in = submission(tmp_path, with_init(arguments), params=params)
    if message is None:
        check_code(handed_in)
    else:
        with pytest.raises(InvalidSubmission, match=message):
            check_code(handed_in)


@pytest.mark.parametrize(
    "code",
    [
        "from dataclasses import dataclass\n@dataclass\n" + GOOD.replace(":\n", ":\n    step: int = 1\n", 1),
        GOOD.replace("class Mine:", "class Mine(Base):"),
        GOOD + "    def __new__(cls, step):\n        return object.__new__(cls)\n",
        GOOD + "    __init__ = other\n",
    ],
)
def test_parameters_that_only_show_when_it_runs_are_left_alone(tmp_path, code):
    check_code(submission(tmp_path, code, params="[params]\nstep = 1\n"))


def test_nothing_is_run(tmp_path):
    check_code(submission(tmp_path, "raise SystemExit\n" + GOOD))
