"""Make one fixed arena through the command line alone, and write down what must not change.

The arena is the same on every run: three small toy tasks, one or two k-shot seeds, four baselines, ten
submissions (two of them equal, one failing, two scored on a checkpoint, one cancelled), a prediction
upload, a rejudge that changes scores, a freeze, closing, publication and export. `facts.json` holds
what a change of the code must leave as it is, in a schema of its own, so that two versions of the code
can be compared bit for bit::

    python tests/support/fixed_arena.py FOLDER                    # FOLDER/facts.json, FOLDER/export.zip
    python tests/support/fixed_arena.py FOLDER --compare FACTS    # exit 1 and one line per difference

Left out: times, seconds, hashes of the code, of packages and of the baselines' files, paths, texts of
messages, and what follows from the random secret of a round (the seed of `predict`).
"""

import argparse
import hashlib
import importlib
import json
import math
import os
import subprocess
import sys
import zipfile
from pathlib import Path

__all__ = ["differences", "make_arena"]

_ROUND = "fixed"
_BASELINES = ("manual", "random_search", "linear_probe", "bbt")
_TEAMS_WITH_TOKEN = ("Otters", "Bandits")
_SOLVERS = {
    "climb": "Climb",
    "one layer": "OneLayer",
    "ensemble": "Ensemble",
    "failing": "Failing",
    "out of budget": "OutOfBudget",
    "out of memory": "OutOfMemory",
    "by umask": "ByUmask",
}
_N_TEST_ROWS = 200
_TASKS = {"sst2": ("SST-2", 2, [8, 13]), "snli": ("SNLI", 3, [8, 13]), "qqp": ("QQP", 2, [8])}
"""Task -> its folder in the prediction upload, number of classes, k-shot seeds."""

_HEAD = """
[round]
name = "fixed"
version = "1.0"
title = "A fixed arena"
seed = 7
[visibility]
curves = "open"
[model]
source = "toy"
n_prompt_tokens = 10
[numeric]
threads = 1
[limits]
solver_s = 60.0
cpu_s = 120.0
predict_s = 30.0
memory_bytes = 1073741824
max_ensemble = 3
[solver_params.bbt]
intrinsic_dim = 20
population_size = 5
projection = "normal"
alpha = 0.3
eval_every = 15
[solver_params.random_search]
population_size = 10
"""

_TASK = """
[[task]]
preset = "{name}"
name = "{name}"
data = "toy"
k_shot = 8
kshot_seeds = {seeds}
budget_calls = 40
test_limit = {n_rows}
"""

_MAIN = "from harness.cli.main import main; main()"
_SCHEMA = (
    "submission", "team", "solver", "rank", "tier", "score", "task_scores", "standard_error", "margin_95",
    "calls", "budget_calls", "is_baseline", "is_official", "is_checkpoint", "is_pareto", "efficiency", "verdict",
    "status",
)  # fmt: skip
_ALIASES = {"solver": "name", "is_checkpoint": "is_flagged", "task_scores": "tasks", "margin_95": "margin"}
"""The agreed key, and what it may be called in a document or an attribute."""

_NORMAL_95 = 1.959964


class _CommandLine:
    """`gradfree` of the code on PYTHONPATH, each command in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "arena"
        self._environment = os.environ | {
            "GRADFREE_HOME": str(self.home),
            "COLUMNS": "200",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }

    def run(self, *arguments: object, umask: int = 0o022) -> str:
        """Run a command and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self._environment,
            umask=umask,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"gradfree {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def json(self, *arguments: object) -> dict:
        """Run a command with `--json` and return its document."""
        return json.loads(self.run(*arguments, "--json"))


def make_arena(folder: Path) -> dict:
    """Make the arena in an empty folder; write facts.json and export.zip there and return the facts."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    cli = _CommandLine(folder)
    _write_sources(folder)
    cli.run("round", "create", "fixed.toml")
    tokens = {team: cli.json("team", "add", team)["token"] for team in _TEAMS_WITH_TOKEN}

    def submit(team: str, name: str) -> int:
        token = ("--token", tokens[team]) if team in tokens else ()
        number = cli.json("submit", name, "--round", _ROUND, "--team", team, *token)["submission"]
        submitted.append(number)
        return number

    submitted, boards, pages = [], {}, {}
    cli.run("baselines", "run", "--round", "fixed.toml", "--only", "manual", "--json")
    submit("Sieve", "by umask")
    submit("Swarm", "out of memory")
    submit("Bandits", "ensemble")
    cli.run("worker", "--until-idle")
    boards["open"] = _board(cli)

    cli.run("rejudge", "stage", _ROUND, "--reason", "a fixed arena")
    cli.run("worker", "--until-idle", umask=0o077)
    rejudge = cli.json("rejudge", "show", _ROUND)
    boards["staged"] = _board(cli)
    cli.run("rejudge", "apply", _ROUND)
    boards["applied"] = _board(cli)

    submit("Otters", "one layer")
    submit("Herons", "climb")
    submit("Foxes", "climb")  # the same files: equal on score and calls
    submit("Lynx", "failing")
    submit("Moths", "out of budget")
    cli.run("cancel", submit("Bandits", "climb"), "--token", tokens["Bandits"])
    only = [part for name in _BASELINES for part in ("--only", name)]
    comparison = cli.json("baselines", "run", "--round", "fixed.toml", *only)
    upload = cli.json(
        "score-predictions", "predictions.zip", "--round", _ROUND, "--publish", "by hand", "--team", "Herons"
    )
    boards["full"] = _board(cli)
    pages["full"] = _pages(cli, boards["full"], submitted)

    cli.run("round", "freeze", _ROUND)
    submit("Otters", "by umask")
    cli.run("worker", "--until-idle")
    boards["frozen"] = _board(cli)
    cli.run("round", "unfreeze", _ROUND)
    boards["unfrozen"] = _board(cli)

    cli.run("round", "close", _ROUND)
    boards["closed"] = _board(cli)
    cli.run("round", "publish", _ROUND)
    boards["published"] = _board(cli)
    pages["published"] = _pages(cli, boards["published"], submitted)
    cli.run("round", "export", _ROUND, "--to", "export.zip")
    artifacts = [_artifact(path) for path in sorted(cli.home.glob("sealed/artifacts/**/*.json"))]
    (profile,) = {artifact.pop("profile") for artifact in artifacts}
    facts = {
        "profile": profile,
        "boards": boards,
        "static": _static_boards(cli),
        "pages": pages,
        "baselines": _without_seconds(comparison),
        "upload": upload,
        "rejudge": [
            {
                key: _field(item, key)
                for key in ("submission", "solver", "task", "kshot_seed", "verdicts", "scores", "calls")
            }
            for item in rejudge["differences"]
        ],
        "artifacts": sorted(artifacts, key=lambda item: json.dumps(item, sort_keys=True)),
        "export": _export(folder / "export.zip"),
        "verified": cli.json("round", "verify", "export.zip"),
    }
    lines = (
        f'"{key}": {json.dumps(value, sort_keys=True, allow_nan=False, default=dict)}' for key, value in facts.items()
    )
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (folder / "facts.json").write_text(text)
    return json.loads(text)


def _write_sources(folder: Path) -> None:
    """Write the round file, the submissions and the prediction upload."""
    for name, entry in _SOLVERS.items():
        (folder / name).mkdir()
        (folder / name / "solver.toml").write_text(f'name = "{name}"\nentry = "solver:{entry}"\n')
        code = Path(__file__).with_name("fixed_solvers.py").read_bytes()
        (folder / name / "solver.py").write_bytes(code)
    tasks = [_TASK.format(name=name, seeds=seeds, n_rows=_N_TEST_ROWS) for name, (_, _, seeds) in _TASKS.items()]
    (folder / "fixed.toml").write_text(_HEAD + "".join(tasks))
    with zipfile.ZipFile(folder / "predictions.zip", "w") as archive:
        for task, n_classes, seeds in _TASKS.values():
            for seed in seeds:
                rows = (f"{row},{(row * row + seed) % n_classes}" for row in range(_N_TEST_ROWS))
                member = zipfile.ZipInfo(f"{task}/{seed}.csv", (1980, 1, 1, 0, 0, 0))
                archive.writestr(member, "\n".join((",pred", *rows)) + "\n")


def _field(source: object, key: str) -> object:
    """Return a value of a document or an attribute of an object, under its agreed or its other name."""
    for name in (key, _ALIASES.get(key, key)):
        if isinstance(source, dict) and name in source:
            return source[name]
        if not isinstance(source, dict) and hasattr(source, name):
            return getattr(source, name)
    raise KeyError(f"no {key!r} in {source!r}")


def _entry(source: dict) -> dict:
    """Return an entry of any board document in the agreed schema."""
    entry = {}
    for key in _SCHEMA:
        if key == "margin_95" and key not in source:
            error = source["standard_error"]
            entry[key] = None if error is None else _NORMAL_95 * error
        else:
            entry[key] = _field(source, key)
    return entry


def _board(cli: _CommandLine) -> dict:
    """Return what `gradfree round show --json` prints, in the agreed schema."""
    document = cli.json("round", "show", _ROUND)
    about = document["round"] if isinstance(document["round"], dict) else document
    return {
        "digest": about["digest"],
        "phase": about["phase"],
        "is_final": about["is_final"],
        "entries": [_entry(entry) for entry in document["entries"]],
        "uploads": [
            {key: _field(upload, key) for key in ("solver", "score", "task_scores")} for upload in document["uploads"]
        ],
    }


def _static_boards(cli: _CommandLine) -> list[dict]:
    """Return the entries of the exported leaderboard.json: the keys of the schema that it has."""
    cli.run("board", "--static", "static", "--round", _ROUND)
    (path,) = (cli.folder / "static").rglob("leaderboard.json")
    keys = [key for key in _SCHEMA if key not in {"standard_error", "is_pareto"}]
    return [{key: _field(entry, key) for key in keys} for entry in json.loads(path.read_text())["entries"]]


def _pages(cli: _CommandLine, board: dict, submitted: list[int]) -> dict:
    """Return what the page of each submission shows: runs, curves, confusion matrices."""
    numbers = sorted({entry["submission"] for entry in board["entries"]} | set(submitted))
    with _public_store().open(cli.home / "public.db") as store:
        return {str(number): _page(store.submission(number)) for number in numbers}


def _public_store() -> type:
    """Return the reader of the public store, wherever this version of the code has it."""
    for name in ("harness.store.public", "harness.store.public.reader", "harness.store"):
        try:
            return importlib.import_module(name).PublicStore
        except (ImportError, AttributeError):
            continue
    raise ImportError("no PublicStore in harness.store; name its module in fixed_arena.py")


def _page(page: object) -> dict:
    entry = _field(page, "entry")
    shown = ("is_complete", "counts", "change", "tokens", "n_runs", "n_runs_done", "sparkline")
    of_run = (
        "run_id", "task", "kshot_seed", "solver_seed", "status", "verdict", "is_checkpoint", "score", "calls",
        "budget_calls", "n_attempts", "tokens", "is_official",
    )  # fmt: skip
    return {
        "digest": None if _field(entry, "is_baseline") else _field(entry, "digest"),
        **{key: _field(entry, key) for key in shown},
        "runs": [{key: _field(run, key) for key in of_run} for run in _field(page, "runs")],
        "curves": [
            {key: _field(curve, key) for key in ("task", "calls", "losses", "scores")}
            for curve in _field(page, "curves")
        ],
        "confusions": dict(_field(page, "confusions")),
    }


def _without_seconds(content: object) -> object:
    """Leave every measured time out of a document."""
    if isinstance(content, dict):
        return {
            key: _without_seconds(value)
            for key, value in content.items()
            if not key.endswith("_s") and "seconds" not in key
        }
    return [_without_seconds(value) for value in content] if isinstance(content, list) else content


def _artifact(path: Path) -> dict:
    """Return what of a run's artifact must not change: all but times, hashes of the code, and messages."""
    artifact = json.loads(path.read_text())
    hashes = artifact["hashes"]
    is_baseline = artifact["submission_name"] in _BASELINES
    keys = (
        "round_name", "round_version", "submission_name", "params", "task", "metric", "kshot_seed", "solver_seed",
        "rotation_seed", "test_digest", "budget_calls", "verdict", "is_checkpoint", "train_losses", "scores",
        "incumbents",
    )  # fmt: skip
    usage, trace, predictions = artifact["usage"], artifact["trace"], artifact["predictions"]
    return {
        **{key: _field(artifact, key) for key in keys},
        "predictions": None if predictions is None else "".join(map(str, predictions)),
        "trace": {
            "calls": [query["calls"] for query in trace],
            **{key: _digest([query[key] for query in trace]) for key in ("request", "response")},
        },
        "profile": hashes["profile"],
        "hashes": {
            key: hashes[key]
            for key in ("round", "data", "model", "tokenizer", *(() if is_baseline else ("submission",)))
        },
        "usage": {key: value for key, value in usage.items() if not key.endswith("_s")},
    }


def _digest(lines: list[str]) -> str:
    """Return one SHA-256 (hex) for the digests of a run's queries, in order."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _export(path: Path) -> dict:
    """Return the archive's members: digests where time plays no part, else the content without it."""
    files, events = {}, []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            content = archive.read(name)
            if name == "events.jsonl":
                lines = [json.loads(line) for line in content.splitlines()]
                events = [[line["kind"], line["submission"], line["run"], line["attempt"]] for line in lines]
            elif name == "manifest.json":
                manifest = json.loads(content)
                files[name] = {**manifest, "files": sorted(manifest["files"])}
            elif name == "ranking.json":
                files[name] = json.loads(content)
            elif name == "submissions.json":
                files[name] = [_exported(submission) for submission in json.loads(content)]
            else:
                files[name] = hashlib.sha256(content).hexdigest()
    return {"files": files, "events": events}


def _exported(submission: dict) -> dict:
    left_out = {"submitted_at", "runs"} | ({"digest"} if submission["is_baseline"] else set())
    runs = [
        {
            {"is_flagged": "is_checkpoint"}.get(key, key): value
            for key, value in run.items()
            if key not in {"artifact_sha256", "hashes"}
        }
        for run in submission["runs"]
    ]
    return {key: value for key, value in submission.items() if key not in left_out} | {"runs": runs}


def differences(expected: object, found: object, *, is_bitwise: bool = True, at: str = "") -> list[str]:
    """Return one line per difference between two documents of facts.

    Args:
        expected: facts, or a part of them.
        found: the same of another version of the code.
        is_bitwise: compare numbers and digests exactly: both were made under one numeric profile. If
            not, numbers may differ by 1e-3, and digests of requests and responses are left out.
        at: where in the document this is.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        lines = [f"{at}/{key}: only before" for key in expected.keys() - found.keys()]
        lines += [f"{at}/{key}: only now" for key in found.keys() - expected.keys()]
        for key in sorted(expected.keys() & found.keys()):
            if is_bitwise or key not in {"profile", "request", "response"}:
                lines += differences(expected[key], found[key], is_bitwise=is_bitwise, at=f"{at}/{key}")
        return lines
    if isinstance(expected, list) and isinstance(found, list):
        lines = [] if len(expected) == len(found) else [f"{at}: {len(expected)} items, now {len(found)}"]
        for number, pair in enumerate(zip(expected, found, strict=False)):
            lines += differences(*pair, is_bitwise=is_bitwise, at=f"{at}/{number}")
        return lines
    if type(expected) is type(found) and expected == found:
        return []
    if not is_bitwise and isinstance(expected, float) and isinstance(found, float):
        return [] if math.isclose(expected, found, rel_tol=0, abs_tol=1e-3) else [f"{at}: {expected}, now {found}"]
    return [f"{at}: {expected!r}, now {found!r}"]


def main() -> None:
    """Make the arena; compare it if facts are given."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="an empty folder, or one to make")
    parser.add_argument("--compare", type=Path, help="facts.json of another version of the code")
    options = parser.parse_args()
    found = make_arena(options.folder)
    print(options.folder / "facts.json")
    if options.compare is not None:
        lines = differences(json.loads(options.compare.read_text()), found)
        print("\n".join(lines) if lines else "identical")
        sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
