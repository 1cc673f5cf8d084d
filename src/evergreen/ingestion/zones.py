"""Time zones: from an instant or another zone to a source's own wall clock.

Without a time zone of the source, its wall clock is kept as it is written. Then all UTC offsets in
its cells have to be those of one place: some IANA zone other than UTC gives each of them at its
wall time, changes to summer time included.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pandas as pd

from evergreen.ingestion.cells import CACHED_CELLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np

    from evergreen.ingestion.times import Time

AREAS = (
    *("Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/"),
    *("Europe/", "Indian/", "Pacific/"),
)
"""Zones of places; others, such as Etc/GMT+5, are no one's clock."""
ZONE_SETTING = (
    "set `source.timezone` in params.yaml to the retailer's time zone, such as Europe/Paris"
)


class ClockReading(NamedTuple):
    """A wall time, to the hour, with its offset in minutes east of UTC."""

    hour: datetime
    offset: int


@dataclass(frozen=True)
class Zones:
    """The zone of a source, and that in which one of its tables writes times without a zone.

    Attributes
    ----------
    source
        IANA name; None if wall clocks are kept as they are written.
    table
        IANA name; None if it is that of the source.
    """

    source: str | None = None
    table: str | None = None

    @property
    def converts_plain(self) -> bool:
        """Whether times without a zone are converted."""
        return self.table not in (None, self.source)

    def wall(self, time: Time) -> datetime:
        """The source's wall clock at a time.

        A time without a zone that the table's clock shows twice is the first of the two; one that
        it skips counts from before the change.

        >>> from evergreen.ingestion.times import Time
        >>> paris = Zones("Europe/Paris", table="UTC")
        >>> paris.wall(Time(datetime(2017, 3, 1, 23, 30))).isoformat()
        '2017-03-02T00:30:00'
        """
        if self.source is None or time.is_day:
            return time.wall
        if time.offset is not None:
            return _in_zone(time.wall - timedelta(minutes=time.offset), self.source)
        return self._of_table(time.wall) if self.converts_plain else time.wall

    def of_instants(self, instants: np.ndarray) -> np.ndarray:
        """The source's wall clock at instants in UTC: datetime64[us] (n,), NaT where missing."""
        utc = pd.DatetimeIndex(instants).tz_localize("UTC")
        walls: np.ndarray = utc.tz_convert(self.source).tz_localize(None).to_numpy("datetime64[us]")
        return walls

    def _of_table(self, wall: datetime) -> datetime:
        here = wall.replace(tzinfo=ZoneInfo(self.table or "UTC"))
        return here.astimezone(ZoneInfo(self.source or "UTC")).replace(tzinfo=None)

    def of_table(self, walls: np.ndarray) -> np.ndarray:
        """The source's wall clock at times of the table without a zone, as for `wall`."""
        if self.table == "UTC":
            return self.of_instants(walls)
        convert = lru_cache(CACHED_CELLS)(self._of_table)
        listed = pd.DatetimeIndex(walls).to_pydatetime()
        converted = [None if wall is pd.NaT else convert(wall) for wall in listed]
        return pd.DatetimeIndex(converted).to_numpy("datetime64[us]")


def _in_zone(instant: datetime, zone: str) -> datetime:
    utc = instant.replace(tzinfo=ZoneInfo("UTC"))
    return utc.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@cache
def _places() -> list[str]:
    return sorted(name for name in available_timezones() if name.startswith(AREAS))


def turning_points(readings: Iterable[ClockReading]) -> list[ClockReading]:
    """The first and last reading of each month and offset, in order.

    A zone that gives these gives all that lie between.
    """
    points: list[ClockReading] = []
    for _, run in groupby(
        sorted(set(readings)), key=lambda r: (r.hour.replace(day=1, hour=0), r.offset)
    ):
        first, *rest = run
        points += [first, *rest[-1:]]
    return points


def is_one_place(points: list[ClockReading]) -> bool:
    """Whether the clock of some place other than UTC gives all these readings."""
    if not any(point.offset for point in points):
        return not points
    return any(all(_shows(zone, point) for point in points) for zone in _places())


def _shows(zone: str, reading: ClockReading) -> bool:
    """Whether a zone's clock shows an hour, or its end, with this offset, once or twice."""
    offset = timedelta(minutes=reading.offset)
    return any(
        reading.hour.replace(minute=minute, fold=fold, tzinfo=ZoneInfo(zone)).utcoffset() == offset
        for minute in (0, 45)
        for fold in (0, 1)
    )


def offset_text(minutes: int) -> str:
    """An offset as in ISO 8601.

    >>> offset_text(-330)
    '-05:30'
    """
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def offsets_problem(counts: Mapping[int, int], example: str = "") -> str:
    """Why times with these offsets are not kept as they are written, when `is_one_place` is false.

    Parameters
    ----------
    counts
        How many times have which offset.
    example
        One of them, and where it is.
    """
    listed = ", ".join(f"{offset_text(offset)} in {counts[offset]:,}" for offset in sorted(counts))
    listed += f"; such as {example}" if example else ""
    if any(counts):
        return f"times have UTC offsets that no one time zone has ({listed})"
    return f"times are in UTC, not on the retailer's clock ({listed})"
