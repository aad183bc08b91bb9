"""`python -m harness.testing PATH`: a line per promise; exit 1 if one is broken, 2 on wrong usage."""

import sys

from harness.errors import GradfreeError
from harness.testing import CHECKS, NotConforming, SolverUnderTest

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Check the solver at a path and print what was found."""
    if len(arguments) != 1:
        print("usage: python -m harness.testing PATH", file=sys.stderr)
        return 2
    solver = SolverUnderTest(arguments[0])
    broken = 0
    for check in CHECKS:
        try:
            check(solver)
            print(f"ok      {check.__name__}")
        except NotConforming as error:
            broken += 1
            print(f"BROKEN  {check.__name__}: {error}")
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except GradfreeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
