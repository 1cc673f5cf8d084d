"""A caller's times as the retailer's wall clock: the same cell gives what a file would give."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from evergreen.errors import DataError
from evergreen.ingestion import times
from evergreen.ingestion.cells import CellError, number_text
from evergreen.ingestion.dates import DateSettings, settle_dates
from evergreen.ingestion.zones import (
    ZONE_SETTING,
    ClockReading,
    Zones,
    is_one_place,
    offsets_problem,
    turning_points,
)
from evergreen.serving.errors import EventsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evergreen.ingestion.times import Time, TimeFormat
    from evergreen.settings.source_rules import SourceRules

PLAIN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?$"
"""Texts that Arrow reads."""
WAY_OUT = "pass times such as 2017-03-30 17:45, in the retailer's local time"
AGAIN = "and release again"


def is_plain(cell: object) -> bool:
    """Whether a cell is a text that means the same whatever the other cells are."""
    return isinstance(cell, str) and re.fullmatch(PLAIN, cell) is not None


def wall_times(where: str, name: str, cells: pd.Series, rules: SourceRules) -> np.ndarray:
    """Times on the retailer's wall clock: datetime64[us] (n,), NaT where a cell holds none.

    Parameters
    ----------
    cells
        Texts as exports write them, numbers as `SourceRules.date_format` says, or times of Python,
        NumPy or pandas.

    Raises
    ------
    EventsError
        If a cell is not a time or may be several, or times have UTC offsets that no one time zone
        has and the source no time zone to convert them to.
    """
    zones = Zones(rules.timezone)
    if pd.api.types.is_datetime64_any_dtype(cells):
        walls = _typed(where, name, cells, zones)
    else:
        texts = [_text(cell) for cell in cells.tolist()]
        plain = pa.array(texts, pa.string())
        if pc.all(pc.match_substring_regex(plain.drop_null(), PLAIN)).as_py() is not False:
            try:
                walls = plain.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
            except pa.ArrowInvalid:
                walls = _written(where, name, texts, rules, zones)
        else:
            walls = _written(where, name, texts, rules, zones)
    walls = walls.astype("datetime64[us]")
    outside = (walls < np.datetime64(times.FIRST)) | (walls >= np.datetime64(times.END))
    _check(where, outside, f"{name} {times.OUT_OF_RANGE}", "fix or drop these rows")
    return walls


def _text(cell: object) -> str | None:
    """A cell as a file would write it."""
    if cell is None or cell is pd.NA or cell is pd.NaT or cell != cell:  # noqa: PLR0124 - NaN
        return None
    if isinstance(cell, np.datetime64):
        cell = pd.Timestamp(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, int | float | Decimal | np.number):
        return number_text(cell)  # type: ignore[arg-type]
    return str(cell)


def _typed(where: str, name: str, cells: pd.Series, zones: Zones) -> np.ndarray:
    """Times of pandas, with a zone or without."""
    index = pd.DatetimeIndex(cells)
    if index.tz is None:
        return index.to_numpy("datetime64[us]")
    instants = index.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[us]")
    if zones.source is not None:
        return zones.of_instants(instants)
    walls = index.tz_localize(None).to_numpy("datetime64[us]")
    offsets = (walls - instants) // np.timedelta64(1, "m")
    known = ~np.isnat(walls)
    _check_clock(where, name, zip(walls[known].tolist(), offsets[known].tolist(), strict=True))
    return walls


def _written(
    where: str, name: str, texts: list[str | None], rules: SourceRules, zones: Zones
) -> np.ndarray:
    """Times as texts, of which each is read once."""
    order = times.as_order(rules.date_order)
    settings = DateSettings(rules.date_format, order, zones)
    present = (text for text in texts if text is not None)
    try:
        spelling = settle_dates(present, settings, name=f"{where}: {name}").cells
    except DataError as error:
        message = error.message.replace("; nothing was changed", "")
        raise EventsError(message, f"{WAY_OUT}; or {error.next_step}, {AGAIN}") from None
    read = {text: _read(text, spelling) for text in dict.fromkeys(texts)}
    problems = [read[text] for text in texts]
    for reason in dict.fromkeys(item for item in problems if isinstance(item, str)):
        bad = np.array([item == reason for item in problems])
        _check(where, bad, f"{name} {reason}", f"fix or drop these rows, or {WAY_OUT}")
    found = [item for item in problems if item is not None and not isinstance(item, str)]
    if zones.source is None:
        _check_clock(where, name, ((t.wall, t.offset) for t in found if t.offset is not None))
    walls = [
        None if item is None or isinstance(item, str) else zones.wall(item) for item in problems
    ]
    return np.array(walls, dtype="datetime64[us]")


def _read(text: str | None, spelling: TimeFormat) -> Time | str | None:
    """The time in a text, or why it is none; None if it is missing."""
    try:
        return None if text is None else spelling.read(text)
    except CellError as error:
        return str(error)


def _check(where: str, bad: np.ndarray, problem: str, next_step: str) -> None:
    if bad.any():
        raise EventsError(
            f"{where}: in {bad.sum():,} of {len(bad):,} rows {problem}; the first is at position "
            f"{int(np.argmax(bad))}",
            next_step,
        )


def _check_clock(where: str, name: str, read: Iterable[tuple[datetime, int]]) -> None:
    """Refuse offsets that no one time zone has, where times are kept as they are written."""
    counts: dict[int, int] = {}
    readings: set[ClockReading] = set()
    for wall, offset in read:
        counts[offset] = counts.get(offset, 0) + 1
        readings.add(ClockReading(wall.replace(minute=0, second=0, microsecond=0), int(offset)))
    if readings and not is_one_place(turning_points(readings)):
        raise EventsError(
            f"{where}: {name}: {offsets_problem(counts)}", f"{WAY_OUT}; or {ZONE_SETTING}, {AGAIN}"
        )
