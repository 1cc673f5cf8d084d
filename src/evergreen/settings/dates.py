"""Dates as people write them."""

from __future__ import annotations

from datetime import date, datetime


def parse_date(text: str) -> date:
    """Read a date such as 2024-04-01.

    Raises
    ------
    ValueError
        If the text is anything else.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise ValueError(f"{text!r} is not a date (expected YYYY-MM-DD)") from None
