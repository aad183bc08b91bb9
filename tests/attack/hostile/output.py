"""Flooding and forging what people read."""

import os
import sys

from case import LOG, SESSION, WIRE, attack
from wire import ERROR, frame

from harness.api import InvalidQuery

_MIB = 1 << 20


@attack(LOG, relaxed={"log_bytes": 8 * _MIB}, log_bytes=1 << 16)
def flood_the_log(given, model):
    """The proof comes last: it is kept only if everything before it is."""
    for _ in range(64):
        sys.stdout.write("x" * (1 << 16) + "\n")
    return "4 MiB kept"


@attack(LOG, relaxed={"log_bytes": 8 * _MIB}, log_bytes=1 << 16)
def flood_standard_error(given, model):
    for _ in range(64):
        os.write(2, b"x" * (1 << 16))
    return "4 MiB kept"


def _raw_error(text):
    os.write(3, frame({"kind": "exception", "message": text, "arrays": []}, b"", kind=ERROR))
    os._exit(1)


@attack(WIRE, "RTE", control="patched")
def move_the_cursor_of_a_terminal(given, model):
    """Escape sequences in the message that `gradfree status` prints."""
    _raw_error("\x1b[2J")


@attack(WIRE, "RTE", control="patched")
def send_a_very_long_message(given, model):
    _raw_error("x" * 50_000 + "GOT")


@attack(SESSION, stage="attempt", control="patched")
def print_escape_sequences(given, model):
    """In the log that an organizer reads with `gradfree logs`."""
    os.write(1, b"\x1b]0;owned\x07\x1b[2J\n")
    raise InvalidQuery("printed")
