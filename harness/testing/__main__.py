"""`python -m harness.testing PATH`: one line per requirement; exit code 1 if one fails, 2 on wrong usage."""

import sys

from harness.errors import GradfreeError
from harness.testing.checks import CHECKS, NotConforming, keeps_its_files_within_the_limits
from harness.testing.subject import SolverUnderTest

__all__ = ["main"]

_USAGE = "usage: python -m harness.testing PATH"


def main(arguments: list[str]) -> int:
    """Check the solver at a path, print the results and return the exit code."""
    if arguments in (["--help"], ["-h"]):
        print(f"{_USAGE}\n\nCheck a solver's folder or zip on the toy round: one line per requirement of the contract.")
        return 0
    if len(arguments) != 1:
        print(_USAGE, file=sys.stderr)
        return 2
    solver = SolverUnderTest(arguments[0])
    broken, logs = 0, set()
    for check in CHECKS:
        try:
            check(solver)
            print(f"ok      {check.__name__}", flush=True)
        except NotConforming as error:
            broken += 1
            said, _, log = str(error).partition("\n")
            print(f"BROKEN  {check.__name__}: {said}", flush=True)
            if log and log not in logs:  # one bug often fails several checks
                print(log, flush=True)
            logs.add(log)
            if check is keeps_its_files_within_the_limits:
                print("The other checks need acceptable files.")
                break
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except GradfreeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
