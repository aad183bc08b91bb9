"""The command that starts the app: local, without telemetry, closed to other sites."""

import sys
import tomllib
from pathlib import Path

from harness.store.public import MAX_UPLOAD_BYTES

__all__ = ["PUBLIC_DB_VARIABLE", "streamlit_command"]

PUBLIC_DB_VARIABLE = "GRADFREE_PUBLIC_DB"
"""Environment variable with the path of the public store, used without an argument."""

_FOLDER = Path(__file__).parent


def streamlit_command(
    public_db: Path, host: str = "127.0.0.1", port: int = 8501, spool: Path | None = None
) -> list[str]:
    """Return the argument list that serves a public store.

    Args:
        public_db: file of the public store; it need not exist yet.
        host: address to listen on; any but the default exposes the board to the network.
        port: TCP port, 1-65535.
        spool: folder for submission uploads; None accepts none.
    """
    settings = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.enableCORS": "true",
        "server.enableXsrfProtection": "true",
        "server.maxUploadSize": str(max(MAX_UPLOAD_BYTES // 2**20, 1)),
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        # Error details would reveal paths of this machine.
        "client.showErrorDetails": "none",
    }
    flags = [f"--{name}={value}" for name, value in {**settings, **_theme()}.items()]
    app = str(_FOLDER / "serve.py")
    places = [str(public_db), *([] if spool is None else [str(spool)])]
    return [sys.executable, "-m", "streamlit", "run", app, *flags, "--", *places]


def _theme() -> dict[str, str]:
    """Flatten the theme file into Streamlit's option names."""
    options: dict[str, str] = {}
    tables = [("theme", tomllib.loads((_FOLDER / "theme.toml").read_text(encoding="utf-8"))["theme"])]
    while tables:
        prefix, table = tables.pop()
        for name, value in table.items():
            if isinstance(value, dict):
                tables.append((f"{prefix}.{name}", value))
            else:
                options[f"{prefix}.{name}"] = str(value).lower() if isinstance(value, bool) else str(value)
    return options
