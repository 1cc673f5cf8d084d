"""Dates as people write them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date

DATE_PATTERN = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


def parse_date(text: str) -> date:
    """Read a date such as 2024-04-01.

    Raises
    ------
    ValueError
        If the text is anything else.
    """
    with suppress(ValueError):
        if re.fullmatch(DATE_PATTERN, text):
            return date.fromisoformat(text)
    raise ValueError(f"{text!r} is not a date (expected YYYY-MM-DD)")
