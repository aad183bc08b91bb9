"""Who may look: the holder of the token, through a browser's own password prompt.

The token travels in the Authorization header alone: never in an address, which is logged and kept in a
history, and never in a cookie, which every port of this host would receive, the public board's too.
"""

import base64
import binascii
import hmac
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from harness.store.public import UsageError

__all__ = ["USER", "OrganizerOnly", "organizer_token"]

USER = "organizer"
"""The name to enter at the prompt beside the token; any other one is as good."""

_MIN_LENGTH = 32
_ASK = {"WWW-Authenticate": 'Basic realm="Gradfree Arena, organizer", charset="UTF-8"'}


def organizer_token(path: Path) -> str:
    """Return the token in a file that its owner alone can read; it is drawn on first use.

    Raises:
        UsageError: the file is readable by others, somebody else's, too short, or cannot be made.
    """
    try:
        place = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _kept_token(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror or error}") from error
    with os.fdopen(place, "w", encoding="ascii") as file:
        token = secrets.token_urlsafe(32)
        file.write(f"{token}\n")
    return token


def _kept_token(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            facts = os.fstat(file.fileno())
            token = file.read(4096).strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if stat.S_IMODE(facts.st_mode) & 0o077 or facts.st_uid != os.getuid():
        raise UsageError(
            f"{path} has mode {stat.S_IMODE(facts.st_mode):04o} and owner {facts.st_uid}; "
            f"others could read the organizer's token. Delete it, and a new one is drawn"
        )
    if len(token) < _MIN_LENGTH:
        raise UsageError(
            f"{path} holds {len(token)} characters, expected {_MIN_LENGTH} or more; delete it for a new token"
        )
    return token


class OrganizerOnly:
    """Lets a request through that carries the token and was sent to this very host."""

    def __init__(self, app: ASGIApp, token: str, hosts: Sequence[str]) -> None:
        """Guard an app.

        Args:
            app: what is guarded.
            token: what the password must be.
            hosts: values of the Host header that are answered: another one is a name that a stranger
                pointed at this machine.
        """
        self._app = app
        self._token = token.encode()
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421, 401, or let the app answer."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        if headers.get("host", "") not in self._hosts:
            refusal = PlainTextResponse("this address is not served here\n", 421)
            await refusal(scope, receive, send)
        elif not hmac.compare_digest(_password(headers.get("authorization", "")), self._token):
            refusal = PlainTextResponse("the organizer's token is needed\n", 401, _ASK)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _password(authorization: str) -> bytes:
    """Return the password of HTTP's Basic scheme; empty if there is none."""
    scheme, _, content = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(content, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
