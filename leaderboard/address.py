"""Reading the address: what is not a number says so in plain words."""

import streamlit as st

from harness.store.public import UsageError

__all__ = ["number_in", "numbers_in"]

_MAX_DIGITS = 15


def number_in(name: str, wanted: str) -> int:
    """Return the number that a query parameter holds.

    Args:
        name: of the parameter.
        wanted: what it should be the number of, for the error.

    Raises:
        UsageError: it is missing, or not a number.
    """
    return _number(st.query_params.get(name, ""), wanted)


def numbers_in(name: str, wanted: str) -> list[int]:
    """Return the distinct numbers of a list with commas, in order.

    Raises:
        UsageError: one is not a number.
    """
    parts = [part for part in st.query_params.get(name, "").split(",") if part]
    return list(dict.fromkeys(_number(part, wanted) for part in parts))


def _number(text: str, wanted: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise UsageError(f"{text!r} is not the number of {wanted}")
    return int(text)
