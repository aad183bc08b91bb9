"""Access to the organizer's view: HTTP Basic authentication with a token.

The token is sent only in the Authorization header: not in an address, which is logged and kept in a history,
and not in a cookie, which a browser sends to every port of this host, the public board included.
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
"""User name for the prompt; it is not checked."""

_MIN_LENGTH = 32
_ASK = {"WWW-Authenticate": 'Basic realm="Gradfree Arena, organizer", charset="UTF-8"'}


def organizer_token(path: Path) -> str:
    """Return the token from a file readable only by its owner; created with a random token on first use.

    Raises:
        UsageError: the file is readable by others, owned by another user, too short, or cannot be created.
    """
    try:
        place = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _kept_token(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be created: {error.strerror or error}") from error
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
            f"expected 0600 and this user. Delete the file for a new token"
        )
    if len(token) < _MIN_LENGTH:
        raise UsageError(
            f"{path} holds {len(token)} characters, expected {_MIN_LENGTH} or more; delete it for a new token"
        )
    return token


class OrganizerOnly:
    """Middleware that passes on a request only with the token and an expected Host header."""

    def __init__(self, app: ASGIApp, token: str, hosts: Sequence[str]) -> None:
        """Protect an app.

        Args:
            app: the protected app.
            token: the expected password.
            hosts: accepted values of the Host header; this prevents DNS rebinding.
        """
        self._app = app
        self._token = token.encode()
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with 421 or 401, or call the app."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        if headers.get("host", "") not in self._hosts:
            refusal = PlainTextResponse("unknown host\n", 421)
            await refusal(scope, receive, send)
        elif not hmac.compare_digest(_password(headers.get("authorization", "")), self._token):
            refusal = PlainTextResponse("the organizer's token is required\n", 401, _ASK)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _password(authorization: str) -> bytes:
    """Return the password of HTTP Basic authentication; empty if there is none."""
    scheme, _, content = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(content, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
