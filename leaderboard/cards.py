"""Figures at the top of a page: they wrap on a narrow screen, and no name is cut."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from leaderboard.markup import render

__all__ = ["Card", "show_cards"]


@dataclass(frozen=True, slots=True)
class Card:
    """A figure: what it is, its value as written by people, and a remark."""

    label: str
    value: str
    remark: str


def show_cards(cards: Sequence[Card]) -> None:
    """Show cards side by side, as many as fit."""
    st.html(render("cards.html", cards=cards))
