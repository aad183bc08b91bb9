"""`python -m harness.bench CASE`: one case in a process of its own, its line on standard output."""

import json
import sys

from harness.bench.cases import run_case
from harness.errors import GradfreeError


def main() -> int:
    """Run the case that is named; exit as the error says."""
    try:
        print(json.dumps(run_case(sys.argv[1]).as_dict()))
    except GradfreeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
