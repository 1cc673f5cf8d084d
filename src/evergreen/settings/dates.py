"""Dates and time zones as people write them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

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


def _known_zone(name: str | None) -> str | None:
    try:
        if name is not None:
            ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            "must be an IANA time zone that this machine knows, such as Europe/Paris"
        ) from None
    return name


def _known_date_format(text: str) -> str:
    """A word, or a strptime format that holds a whole date."""
    day = datetime(2017, 11, 30)
    if text in ("auto", "iso", "excel", "epoch", "epoch_ms"):
        return text
    if "%Z" in text:
        raise ValueError("can't hold %Z, as abbreviations of zones may mean several: use %z")
    plain = text.removesuffix("%z")
    try:
        whole = datetime.strptime(day.strftime(plain), plain) == day
    except ValueError:
        whole = False
    if not whole or "%z" in plain:
        raise ValueError(
            "must be auto, iso, excel, epoch, epoch_ms, or a strptime format with day, month and "
            "year such as %d/%m/%Y %H:%M; a %z is last"
        )
    return text


DateFormat = Annotated[str, AfterValidator(_known_date_format)]
TimeZone = Annotated[str | None, AfterValidator(_known_zone)]
