"""The shape of the tree that CONTRIBUTING.md promises: small folders, short signatures."""

import ast
from collections import Counter

import pytest

MAX_FILES = 25
MAX_PARAMETERS = 9


@pytest.fixture(scope="module")
def sources(repository):
    """Python files of the product, without caches."""
    return [
        path for package in ("harness", "leaderboard", "baselines") for path in (repository / package).rglob("*.py")
    ]


def test_no_folder_holds_more_files_than_a_reader_takes_in(repository):
    files = [
        path
        for package in ("harness", "leaderboard", "baselines", "submissions")
        for path in (repository / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
    ]
    crowded = {str(folder): n for folder, n in Counter(path.parent for path in files).items() if n > MAX_FILES}
    assert files
    assert not crowded


def test_no_function_takes_more_parameters_than_a_reader_keeps_in_mind(repository, sources):
    long = []
    for path in sources:
        if "cli" in path.parts:  # options of a command are parameters of its function
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
                own = len(names) + len(node.args.kwonlyargs) - (names[:1] in (["self"], ["cls"]))
                if own > MAX_PARAMETERS:
                    long.append(f"{path.relative_to(repository)}:{node.lineno} {node.name} takes {own}")
    assert not long
