"""Make the raw history anew from the source, with the mapping of today."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from evergreen.core.wording import plural
from evergreen.errors import DataError
from evergreen.ingestion import demos, ingestion_state, user_tables
from evergreen.ingestion.raw_tables import (
    CheckedTable,
    Limits,
    Progress,
    checked_tables,
    nothing_shown,
    write_table,
)
from evergreen.ingestion.recognition import Recognition, recognise, stage_earlier
from evergreen.ingestion.row_identity import REBUILD, settings_with
from evergreen.settings import paths
from evergreen.store import files, tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from evergreen.ingestion.sources import RawTable
    from evergreen.settings.pipeline import Settings

DAYS_SHOWN = 3
STATE = paths.INGESTION_STATE.name


def rebuild(
    settings: Settings,
    *,
    through: date | None = None,
    drop_missing: bool = False,
    progress: Progress = nothing_shown,
) -> Iterator[str]:
    """Read the whole source with today's mapping, and replace the raw history by it at once.

    Rows that are recognised keep the day on which they became known. A kill at any instant leaves
    the old history or the new one, and the next call completes it.

    Parameters
    ----------
    through
        The last day to ingest; by default the day before as_of. At least the newest day ingested.
    drop_missing
        Whether to go on without rows that the source no longer has.

    Yields
    ------
    str
        What became of the rows and what differs from before, a line each.

    Raises
    ------
    DataError
        As `checked_tables`, or if the source no longer has some of the rows.
    """
    through = through or settings.as_of - timedelta(days=1)
    newest = [max(tables.partitions(folder), default=through) for folder in _folders()]
    through = max([through, *newest])
    demo = settings.source.demo
    raw_tables = list(
        demos.raw_tables(demo, settings) if demo else user_tables.raw_tables(settings, afresh=True)
    )
    lines = []
    with files.replacing_at_once(paths.RAW) as new:
        _copy_others(new, {table.folder.name for table in raw_tables})
        moved = (replace(table, folder=new / table.folder.name) for table in raw_tables)
        with checked_tables(moved, settings, Limits(through), progress) as checked:
            ready = [
                _recognised(of_table, table, settings)
                for of_table, table in zip(checked, raw_tables, strict=True)
            ]
            _check_missing([rebuilt for rebuilt in ready if not drop_missing])
            for rebuilt in ready:
                write_table(rebuilt.checked, progress, state_file=new / STATE)
                lines += [*rebuilt.checked.lines(), *rebuilt.lines(settings.data.minor_units)]
    yield from lines


def _folders() -> list[Path]:
    return [path for path in sorted(paths.RAW.glob("*")) if path.is_dir()]


def _copy_others(new: Path, rebuilt: set[str]) -> None:
    """Keep the tables that the settings don't name."""
    for folder in _folders():
        if folder.name not in rebuilt:
            shutil.copytree(folder, new / folder.name)


class _Rebuilt(NamedTuple):
    """A table to write, and what differs from the one before, if there was one."""

    checked: CheckedTable
    stored: Path
    recognition: Recognition | None
    units_before: int

    def lines(self, units: int) -> list[str]:
        """What differs, a line each."""
        rows = self.recognition
        if rows is None:
            return []
        lines = [f"rebuilt: {rows.before:,} rows before, {rows.after:,} now"]
        if rows.net_before is not None and rows.net_now is not None:
            before, now = rows.net_before / self.units_before, rows.net_now / units
            lines += [f"  net amount: {before:,.2f} before, {now:,.2f} now"]
        counts = {
            "keep the day on which they became known": rows.kept,
            f"came into the source late, and are known from {self.checked.span.end} on": rows.late,
            "of earlier days were not read before; known from their own days on": rows.shown,
            "of before are excluded or bad now": rows.excluded,
            "changed in the source under the same key, and are corrected": rows.corrected,
            "of before are no longer in the source, and dropped": rows.missing,
        }
        lines += [f"  {count:,} {what}" for what, count in counts.items() if count]
        return [f"{self.checked.table.label}: {line}" for line in lines]


def _recognised(checked: CheckedTable, table: RawTable, settings: Settings) -> _Rebuilt:
    units = settings.data.minor_units
    if not tables.partitions(table.folder):
        return _Rebuilt(checked, table.folder, None, units)
    recorded = ingestion_state.recorded_mappings(table.name) or {}
    before = settings_with(recorded, settings) if recorded else None
    earlier = _stage_earlier(table, before) if before and before != settings else None
    known = before is not None and (before == settings or earlier is not None)
    units_before = before.data.minor_units if before else units
    span, recognition = recognise(
        checked,
        table.folder,
        earlier,
        keyed=_keyed(table, recorded),
        by_mapping=known,
        units=(units_before, units),
    )
    return _Rebuilt(replace(checked, span=span), table.folder, recognition, units_before)


def _stage_earlier(table: RawTable, before: Settings) -> Path | None:
    same = (t for t in user_tables.raw_tables(before, afresh=True) if t.name == table.name)
    path = paths.WORK / f"{table.name}.earlier.parquet"
    return stage_earlier(next(same), before, path)


def _keyed(table: RawTable, recorded: dict[str, dict[str, Any]]) -> set[str]:
    """The names of the tables whose rows were ingested with keys; empty for an only table."""
    if "timestamp" not in table.schema.names:
        return {""}
    if not recorded:
        return {""} if "row_id" in table.schema.names else set()
    return {
        key.partition("/")[2]
        for key, mapping in recorded.items()
        if mapping.get("columns", {}).get("row_id")
    }


def _check_missing(ready: list[_Rebuilt]) -> None:
    """Refuse to lose rows that the source no longer has.

    Raises
    ------
    DataError
        With their number and days.
    """
    lines = []
    for rebuilt in ready:
        rows = rebuilt.recognition
        if rows is not None and rows.missing:
            days = [str(day) for day in rows.missing_days]
            few = ", ".join(days[:DAYS_SHOWN])
            listed = few if len(days) <= DAYS_SHOWN else f"{few}, ... {days[-1]}"
            lines.append(
                f"{rebuilt.checked.table.label}: the source no longer has {rows.missing:,} of the "
                f"{plural(rows.before, 'row')} in {rebuilt.stored}, which became known on "
                f"{plural(len(days), 'day')} ({listed})"
            )
    if lines:
        raise DataError(
            "\n".join(lines) + "; nothing was changed",
            f"put the old exports back, then {REBUILD}; or {REBUILD} --drop-missing, to lose "
            "these rows",
        )
