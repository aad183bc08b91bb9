"""Zips of submissions, good and bad, for tests of the intake."""

import io
import zipfile

__all__ = ["GOOD_FILES", "zip_of"]

GOOD_FILES = {
    "solver.toml": 'name = "by upload"\nentry = "solver:S"\napi = "1"\n',
    "solver.py": "class S:\n    def solve(self, task, model):\n        return None\n",
}


def zip_of(files: dict[str, str]) -> bytes:
    """Return a zip of texts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
