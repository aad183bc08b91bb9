"""Static check of the Python of a submission: syntax, entry class, and parameters of the manifest.

Runs on the participant's own machine only: a hostile file could crash the parser.
"""

import ast

from harness.errors import InvalidSubmission
from harness.session.submission import Manifest, Submission

__all__ = ["check_code"]


def check_code(submission: Submission) -> None:
    """Parse every Python file; check the entry class, its `solve`, and its parameters against the manifest.

    Raises:
        InvalidSubmission: the message names file, line and what to change.
    """
    trees = {name: _parse(name, content) for name, content in submission.files.items() if name.endswith(".py")}
    module, _, wanted = submission.manifest.entry.partition(":")
    path = module.replace(".", "/")
    name = f"{path}.py" if f"{path}.py" in trees else f"{path}/__init__.py"
    found = _find(trees[name], wanted)
    if found is None or isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
        classes = [node.name for node in trees[name].body if isinstance(node, ast.ClassDef)]
        raise InvalidSubmission(
            f"{name}: no class {wanted!r}, which `entry` in solver.toml names; "
            + (f"it has {', '.join(classes)}" if classes else "it has no class at all")
        )
    # Inherited, imported or assigned members are known only at run time.
    if isinstance(found, ast.ClassDef) and not found.bases:
        solve = _find(ast.Module(found.body, []), "solve")
        if solve is None or isinstance(solve, ast.AsyncFunctionDef | ast.ClassDef):
            raise InvalidSubmission(
                f"{name}, line {found.lineno}: class {wanted} has no method solve(self, task, model)"
            )
        # The effect of a decorator is known only at run time, too.
        if isinstance(solve, ast.FunctionDef) and not solve.decorator_list:
            _check_arguments(name, solve)
        if not found.decorator_list and not found.keywords:
            _check_params(found, submission.manifest)


def _check_arguments(name: str, solve: ast.FunctionDef) -> None:
    """Refuse a method that cannot be called as ``solve(task, model)``."""
    arguments = solve.args
    n_arguments = len(arguments.posonlyargs) + len(arguments.args)
    n_required = n_arguments - len(arguments.defaults)
    needs_keyword = any(default is None for default in arguments.kw_defaults)
    if n_required > 3 or needs_keyword or (n_arguments < 3 and arguments.vararg is None):
        raise InvalidSubmission(
            f"{name}, line {solve.lineno}: solve has {n_arguments} arguments; expected solve(self, task, model)"
        )


def _check_params(entry: ast.ClassDef, manifest: Manifest) -> None:
    """Refuse unknown parameters of the entry class, and missing required ones."""
    body = ast.Module(entry.body, [])
    init = _find(body, "__init__")
    if _find(body, "__new__") or (init is not None and (not isinstance(init, ast.FunctionDef) or init.decorator_list)):
        return
    taken: list[str] = []
    required: list[str] = []
    if init is not None:
        arguments = init.args
        if arguments.kwarg is not None:
            return
        named = arguments.args[1:] if not arguments.posonlyargs else arguments.args
        taken = [argument.arg for argument in (*named, *arguments.kwonlyargs)]
        required = taken[: max(0, len(named) - len(arguments.defaults))]
        required += [
            argument.arg
            for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if default is None
        ]
    tables = {"[params]": manifest.params} | {f"[rounds.{name}]": params for name, params in manifest.rounds.items()}
    for title, params in tables.items():
        for key in params:
            if key not in taken:
                raise InvalidSubmission(
                    f"solver.toml: {title}: {key!r} is no parameter of class {entry.name}; "
                    + (f"it takes {', '.join(taken)}" if taken else "it takes none")
                )
    given = {key for params in tables.values() for key in params}
    for key in required:
        if key not in given:
            raise InvalidSubmission(f"solver.toml: [params]: {key!r} is missing, which class {entry.name} requires")


def _parse(name: str, content: bytes) -> ast.Module:
    try:
        return ast.parse(content, filename=name)
    except SyntaxError as error:
        raise InvalidSubmission(f"{name}, line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidSubmission(f"{name}: cannot be read as Python: {error}") from error


def _find(tree: ast.Module, wanted: str) -> ast.stmt | None:
    """Return the last statement of a body that binds a name, or None."""
    for node in reversed(tree.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == wanted:
            return node
        if isinstance(node, ast.Import | ast.ImportFrom):
            if any(wanted == (alias.asname or alias.name) or alias.name == "*" for alias in node.names):
                return node
        elif isinstance(node, ast.Assign):
            if any(isinstance(target, ast.Name) and target.id == wanted for target in node.targets):
                return node
        elif isinstance(node, ast.If | ast.Try) and (inner := _find(ast.Module(node.body, []), wanted)):
            return inner
    return None
