"""From cells to the source's wall clock, in SQL.

`TimeFormat.read` and `Zones.wall` define what a cell says. SQL reads the usual cells itself, which
is fast, and calls them for all others.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from duckdb.func import ARROW

from evergreen.ingestion import times
from evergreen.ingestion.cells import CellError, register
from evergreen.ingestion.conversion import EARLIEST, LATEST
from evergreen.ingestion.times import AUTO, EPOCH, EPOCH_MS, WORDS, TimeFormat, has_clock
from evergreen.ingestion.zones import Zones
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import duckdb
    import numpy as np

PLAIN = ("____-__-__ __:__:__", "____-__-__", "____-__-__T__:__:__", "____-__-__ __:__")
"""What most cells look like, as patterns of LIKE, the most frequent one first."""
FRACTION = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}"
CLOCK = r"[0-9]:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?: ?[AaPp][Mm])?"
ZONED = rf"^(.*{CLOCK}) ?(Z|UTC|GMT|[-+][0-9]{{2}}:?[0-9]{{2}}|[-+][0-9]{{2}})$"
MAY_BE_ZONED = ":[0-9]{2}[^-+\u2212ZUGzug]*[-+\u2212ZUGzug]"
"""Matches every cell that names a UTC offset, and few others."""
PER_HOUR, UTC = 256, 128
"""How `TimeColumn.clock_sql` packs an hour and an offset into one number."""


@dataclass(frozen=True)
class TimeColumn:
    """How a column of a file becomes the source's wall clock.

    Attributes
    ----------
    cells
        How the cells write times.
    zones
        The time zones of the source and of the table.
    usual
        The strptime formats of most cells, without offsets, the most frequent one first.
    """

    cells: TimeFormat = field(default_factory=TimeFormat)
    zones: Zones = field(default_factory=Zones)
    usual: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """A part of the names of its functions; columns with the same functions share it."""
        return f"{zlib.crc32(repr((self.cells, self.zones)).encode()):08x}"

    def register(self, con: duckdb.DuckDBPyConnection) -> None:
        """Register the functions that the SQL calls."""
        register(con, f"wall_{self.name}", self._wall)
        register(con, f"offset_{self.name}", self._offset)
        register(con, f"problem_{self.name}", self._problem)
        _register_conversion(con, f"of_instant_{self.name}", self.zones.of_instants)
        _register_conversion(con, f"of_table_{self.name}", self.zones.of_table)

    def _wall(self, cell: str) -> str | None:
        time = self.cells.read(cell)
        return self.zones.wall(time).isoformat(" ") if time else None

    def _offset(self, cell: str) -> str | None:
        time = self.cells.read(cell)
        return None if time is None or time.offset is None else str(time.offset)

    def _problem(self, cell: str) -> str | None:
        try:
            return times.MISSING if self.cells.read(cell) is None else None
        except CellError as error:
            return str(error)

    def sql(self, cell: str) -> str:
        """SQL of the source's wall clock in a cell; null where it holds no time."""
        function = f"try_cast(wall_{self.name}({cell}) as timestamp)"
        return f"coalesce({', '.join([*self._fast(cell), function])})"

    def problem_sql(self, cell: str) -> str:
        """SQL of the reason why a cell holds no time, one of `times.REASONS`; it is slow."""
        problem = f"problem_{self.name}({cell})"
        return f"case when {cell} is null then '{times.MISSING}' else {problem} end"

    def clock_sql(self, cell: str, wall: str) -> str:
        """SQL of the wall clock's hour and UTC offset, where a cell names one that is kept.

        An integer: the hour since 1970 times `PER_HOUR`, plus `UTC` and the offset's quarters of an
        hour. Null where the cell names no offset, or the source has a time zone.
        """
        if self.zones.source is not None:
            return "null::integer"
        hours = f"epoch({wall})::bigint // 3600 * {PER_HOUR} + {UTC}"
        if self.cells.text in (EPOCH, EPOCH_MS):
            return f"({hours})::integer"
        may_be = f"regexp_matches({cell}, '{MAY_BE_ZONED}')"
        minutes = f"try_cast(offset_{self.name}({cell}) as integer)"
        minutes = f"coalesce({_zoned(cell, _minutes('p.zone'))}, {minutes})"
        return (
            f"case when {_is_plain(cell)} or not {may_be} then null "
            f"else ({hours} + ({minutes}) // {times.QUARTER})::integer end"
        )

    def _fast(self, cell: str) -> Iterator[str]:
        """SQL of the cells that need none of the functions that read text."""
        how = self.cells.text
        if how in (EPOCH, EPOCH_MS):
            whole = f"case when regexp_full_match({cell}, '[0-9]{{9,13}}') then {cell}::bigint end"
            instant = f"make_timestamp({whole} * {10**6 if how == EPOCH else 1000})"
            yield self._of_instant(_in_range(instant))
        zoned_only = how.endswith("%z")
        clock_unseen = self.zones.converts_plain and has_clock(how) and ":" not in how
        plain = () if zoned_only or clock_unseen else self.usual
        yield self._of_plain(cell, self._parsed(cell, plain))
        if how == AUTO or zoned_only:
            wall, minutes = self._parsed("p.wall", self.usual, fraction=True), _minutes("p.zone")
            utc = f"({wall}) - to_minutes({minutes})" if self.zones.source else wall
            instant = _zoned(cell, f"case when {minutes} is not null then {utc} end")
            yield self._of_instant(f"list_filter([{instant}], lambda t: {_inside('t')})[1]")

    def _parsed(self, text: str, formats: tuple[str, ...], *, fraction: bool = False) -> str:
        """SQL of the time of a text that names no offset."""
        other = f"try_strptime(trim({text}), {list(formats)})" if formats else "null"
        if self.cells.text not in WORDS and self.cells.text.startswith("%Y"):
            return other
        plain = _is_plain(text)
        if fraction:
            plain += f" or regexp_full_match({text}, '{FRACTION}')"
        return f"case when {plain} then try_cast({text} as timestamp) else {other} end"

    def _of_instant(self, instant: str) -> str:
        return f"of_instant_{self.name}({instant})" if self.zones.source else instant

    def _of_plain(self, cell: str, wall: str) -> str:
        wall = _in_range(wall)
        if not self.zones.converts_plain:
            return wall
        return f"case when contains({cell}, ':') then of_table_{self.name}({wall}) else {wall} end"


def _register_conversion(
    con: duckdb.DuckDBPyConnection, name: str, convert: Callable[[np.ndarray], np.ndarray]
) -> None:
    def vectorised(walls: pa.ChunkedArray) -> pa.Array:
        return pa.array(convert(walls.to_numpy()), pa.timestamp("us"))

    con.create_function(name, vectorised, ["TIMESTAMP"], "TIMESTAMP", type=ARROW)


def _inside(time: str) -> str:
    return f"{time} >= timestamp '{EARLIEST}' and {time} < timestamp '{LATEST}'"


def _in_range(time: str) -> str:
    return f"case when {_inside(time)} then {time} end"


def _is_plain(cell: str) -> str:
    return f"({' or '.join(f'{cell} like {sql.literal(shape)}' for shape in PLAIN)})"


def _zoned(cell: str, value: str) -> str:
    """SQL of a value of `p.wall` and `p.zone`, the parts of a cell; null where it has no offset.

    DuckDB evaluates an expression that occurs twice for all rows, even where a condition guards
    both. So the condition that spares plain cells the regex is a part of the expression, and the
    SQL of a column holds the value once.
    """
    parts = f"regexp_extract({cell}, '{ZONED}', ['wall', 'zone'])"
    parts = f"case when not {_is_plain(cell)} then {parts} end"
    return f"list_transform([{parts}], lambda p: case when p.zone <> '' then {value} end)[1]"


def _minutes(zone: str) -> str:
    """SQL of an offset in minutes; null where it is not one."""
    digits = f"replace({zone}, ':', '')"
    sign, hours = f"({zone}[1] || '1')::int", f"{digits}[2:3]::int * 60"
    offset = f"{sign} * ({hours} + ('0' || {digits}[4:5])::int)"
    valid = f"abs({offset}) <= {times.MAX_OFFSET} and {offset} % {times.QUARTER} = 0"
    return f"case when {zone} in ('Z', 'UTC', 'GMT') then 0 when {valid} then {offset} end"
