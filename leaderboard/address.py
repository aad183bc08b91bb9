"""Numbers in the query string of the address."""

import streamlit as st

from harness.store.public import UsageError

__all__ = ["number_in", "numbers_in"]

_MAX_DIGITS = 15


def number_in(name: str, wanted: str) -> int:
    """Return the value of a query parameter as a number.

    Args:
        name: of the parameter.
        wanted: what the number identifies, for the error.

    Raises:
        UsageError: the parameter is missing or not a number.
    """
    return _number(name, st.query_params.get(name, ""), wanted)


def numbers_in(name: str, wanted: str) -> list[int]:
    """Return the distinct numbers of a comma-separated query parameter, in order.

    Raises:
        UsageError: a part is not a number.
    """
    parts = [part for part in st.query_params.get(name, "").split(",") if part]
    return list(dict.fromkeys(_number(name, part, wanted) for part in parts))


def _number(name: str, text: str, wanted: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise UsageError(f"{name}: got {text!r}, expected the number of {wanted}")
    return int(text)
