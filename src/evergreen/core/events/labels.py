"""Labels: the outcome of each snapshot, in every version that was ever known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import duckdb

from evergreen.core.events.label_rules import RULES
from evergreen.settings.names import Label


def create_labels(
    con: duckdb.DuckDBPyConnection,
    *,
    targets: Mapping[str, tuple[Label, int]],
    complete_until: date,
    minor_units: int,
) -> None:
    """Create the table ``labels`` of all targets from ``snapshots``, ``ledger`` and ``outcomes``.

    The window of a snapshot is [observed_on, observed_on + horizon_days): it contains events on or
    after observed_on, while features use events before it. The label matures when the window has
    ended. It is known_on that day, or on the day after the ingestion of the row that determines it
    if that is later. A late row that changes the value creates another version from its own day on;
    one that does not change it creates none.

    An external outcome takes precedence over the ledger from the day on which it is known, and is
    replaced by a later one. The view ``outcomes`` (target, client_id, observed_on, value,
    ingested_on) may be empty.

    Columns: target, client_id, observed_on, holdout, label (float64; money in major units),
    known_on, superseded_on (date; null for the current version).

    Parameters
    ----------
    targets
        Name to label and horizon in days.
    complete_until
        The first day of which nothing is known yet: a window that reaches beyond it has no label.
    minor_units
        How many minor units of money make a major one.
    """
    con.execute(
        "create table labels (target varchar, client_id varchar, observed_on date,"
        " holdout boolean, label double, known_on date, superseded_on date)"
    )
    for target, (label, horizon_days) in targets.items():
        rule = RULES[label].sql.format(minor_units=minor_units)
        con.execute(
            _INSERT_LABELS.format(rule=rule),
            {"horizon": horizon_days, "complete_until": complete_until, "target": target},
        )


_INSERT_LABELS = """
insert into labels
with matured as (
    select *, observed_on + $horizon as matured_on from snapshots
    where observed_on + $horizon <= $complete_until
), changes as (
    select client_id, observed_on, matured_on as known_on, 0 as purchases, 0 as spend
    from matured
    union all
    select m.client_id, m.observed_on, greatest(m.matured_on, l.known_on),
           l.purchases, l.spend
    from matured m join ledger l on l.client_id = m.client_id
        and l.day >= m.observed_on and l.day < m.matured_on
), sums as (
    select client_id, observed_on, known_on,
           sum(sum(purchases)) over so_far as purchases,
           sum(sum(spend)) over so_far as spend
    from changes group by client_id, observed_on, known_on
    window so_far as (partition by client_id, observed_on order by known_on)
), explicit as (
    select client_id, observed_on, greatest(m.matured_on, o.ingested_on + 1) as known_on,
           arg_max(o.value, o.ingested_on) as label
    from outcomes o join matured m using (client_id, observed_on)
    where o.target = $target
    group by all
), current as (
    select client_id, observed_on, known_on, {rule} as label from sums s
    where not exists (
        select 1 from explicit e
        where e.client_id = s.client_id and e.observed_on = s.observed_on
            and e.known_on <= s.known_on)
    union all select client_id, observed_on, known_on, label from explicit
), versions as (
    select client_id, observed_on, known_on, label,
           lag(label) over (
               partition by client_id, observed_on order by known_on) as previous
    from current
)
select $target, v.client_id, v.observed_on, s.holdout, v.label, v.known_on,
       lead(v.known_on) over (
           partition by v.client_id, v.observed_on order by v.known_on)
from versions v join snapshots s using (client_id, observed_on)
where v.previous is null or v.label <> v.previous
order by observed_on, client_id, known_on
"""
