"""Labels: the outcome of each snapshot, in every version that was ever known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import duckdb

from evergreen.core.events.label_rules import RULES
from evergreen.core.events.snapshots import observed_within
from evergreen.settings.names import Label

SCHEMA = {
    "target": "varchar",
    "client_id": "varchar",
    "observed_on": "date",
    "known_on": "date",
    "label": "double",
    "corrects": "date",
    "previous": "double",
}
"""The columns of versions of labels, and their types in SQL."""
VERSION = "target, client_id, observed_on, known_on"
"""The columns that identify a version."""


def create_labels(
    con: duckdb.DuckDBPyConnection,
    *,
    targets: Mapping[str, tuple[Label, int]],
    every_days: int,
    after: date,
    through: date,
    minor_units: int,
) -> None:
    """Create the table ``new_labels`` of the versions that became known in (after, through].

    It is computed from ``ledger``, ``outcomes`` and the tables of `create_snapshots`; rows that
    became known later change nothing.

    The window of a snapshot is [observed_on, observed_on + horizon_days): it contains events on or
    after observed_on, while features use events before it. The label matures when the window has
    ended. It is known_on that day, or on the day after the ingestion of the row that determines it
    or of the logged row that asks for the snapshot if that is later. A late row that changes the
    value creates another version from its own day on; one that does not change it creates none.

    An external outcome takes precedence over the ledger from the day on which it is known, and is
    replaced by a later one. The view ``outcomes`` (target, client_id, observed_on, value,
    ingested_on) may be empty.

    Columns: target, client_id, observed_on, known_on (date), label (float64; money in major
    units), and for a version that replaces an earlier one corrects (its known_on) and previous
    (its label), else null.

    Parameters
    ----------
    targets
        Name to label and horizon in days.
    after, through
        The range of days. All rows known by `through` have to be there.
    minor_units
        How many minor units of money make a major one.
    """
    columns = ", ".join(f"{name} {kind}" for name, kind in SCHEMA.items())
    con.execute(f"create or replace temp table new_labels ({columns})")
    within = {"after": after, "through": through}
    for horizon in dict.fromkeys(days for _, days in targets.values()):
        ranges = {
            "matured": ("$after::date - $horizon::int + 1", "$through::date - $horizon::int"),
            "touched": ("first_day", "last_day"),
        }
        observed = {name: observed_within(*days, every_days) for name, days in ranges.items()}
        con.execute(_CREATE_MATURED.format(**observed), {"horizon": horizon, **within})
        con.execute(_CREATE_SUMS, {"horizon": horizon, "through": through})
        for target, (label, horizon_days) in targets.items():
            if horizon_days == horizon:
                rule = RULES[label].sql.format(minor_units=minor_units)
                con.execute(_INSERT_LABELS.format(rule=rule), {"target": target, **within})


# The snapshots that mature in the range, and those matured before of which rows came late.
_CREATE_MATURED = """
create or replace temp table matured as
with late as (
    select distinct client_id, day - $horizon::int + 1 as first_day,
           least(day, $after::date - $horizon::int) as last_day
    from ledger where known_on > $after::date and known_on <= $through::date and day < $after::date
    union
    select client_id, observed_on, observed_on from outcomes
    where ingested_on + 1 > $after::date and ingested_on + 1 <= $through::date
        and observed_on + $horizon::int <= $after::date
), logged as (
    select *, greatest(observed_on + $horizon::int, known_on) as matured_on from logged_snapshots
)
select client_id, observed_on, observed_on + $horizon::int as matured_on
from (select client_id, {matured} as observed_on from clients)
union all
select client_id, observed_on, matured_on from logged
where matured_on > $after::date and matured_on <= $through::date
union all
select client_id, observed_on, observed_on + $horizon::int from (
    select distinct client_id, {touched} as observed_on from late join clients using (client_id))
union all
select client_id, observed_on, matured_on from logged semi join late
    on late.client_id = logged.client_id
    and logged.observed_on between late.first_day and late.last_day
where matured_on <= $after::date
"""
_CREATE_SUMS = """
create or replace temp table sums as
with changes as (
    select client_id, observed_on, matured_on as known_on, 0 as purchases, 0 as spend from matured
    union all
    select m.client_id, m.observed_on, greatest(m.matured_on, l.known_on), l.purchases, l.spend
    from matured m join ledger l on l.client_id = m.client_id
        and l.day >= m.observed_on and l.day < m.observed_on + $horizon::int
    where l.known_on <= $through::date and l.day >= (select min(observed_on) from matured)
)
select client_id, observed_on, known_on,
       sum(sum(purchases)) over so_far as purchases,
       sum(sum(spend)) over so_far as spend
from changes group by client_id, observed_on, known_on
window so_far as (partition by client_id, observed_on order by known_on)
"""
_INSERT_LABELS = """
insert into new_labels
with explicit as (
    select client_id, observed_on, greatest(m.matured_on, o.ingested_on + 1) as known_on,
           arg_max(o.value, o.ingested_on) as label
    from outcomes o join matured m using (client_id, observed_on)
    where o.target = $target and o.ingested_on + 1 <= $through::date
    group by all
), current as (
    select client_id, observed_on, known_on, {rule} as label from sums s
    where not exists (
        select 1 from explicit e
        where e.client_id = s.client_id and e.observed_on = s.observed_on
            and e.known_on <= s.known_on)
    union all select client_id, observed_on, known_on, label from explicit
), compared as (
    select *, lag(label) over (
        partition by client_id, observed_on order by known_on) as previous
    from current
), versions as (
    select *, lag(known_on) over (
        partition by client_id, observed_on order by known_on) as corrects
    from compared where previous is null or label <> previous
)
select $target, client_id, observed_on, known_on, label, corrects, previous from versions
where known_on > $after::date and known_on <= $through::date
"""
