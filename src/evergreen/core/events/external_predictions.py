"""Predictions and outcomes from external systems that could not be matched with each other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import duckdb

PREDICTION_ALONE = "prediction without an outcome"
OUTCOME_ALONE = "outcome without a prediction"
OUTCOME_OF_NOBODY = "outcome of a client not known by that day"


def create_unmatched(
    con: duckdb.DuckDBPyConnection, *, horizons_days: Mapping[str, int], complete_until: date
) -> None:
    """Create the table ``unmatched`` (unmatched, target, client_id, observed_on).

    It is computed from ``labels``, ``clients`` (client_id, and since: the number of the first day
    on which a client is known), and the views ``outcomes`` and ``predicted`` (target, client_id,
    observed_on, value, ingested_on). A prediction has no outcome if its window
    has closed and there is no label. Outcomes count as unmatched only for targets that have
    predictions.
    """
    horizons = ", ".join(f"('{name}', {days})" for name, days in horizons_days.items())
    con.execute(
        f"""
        create table unmatched as
        with horizons (target, days) as (values {horizons}), rows as (
            select '{PREDICTION_ALONE}' as unmatched, target, client_id, observed_on
            from predicted join horizons using (target)
                anti join labels using (target, client_id, observed_on)
            where observed_on + days::int <= date '{complete_until}'
            union all
            select '{OUTCOME_ALONE}', target, client_id, observed_on
            from outcomes anti join predicted using (target, client_id, observed_on)
            where target in (select target from predicted)
            union all
            select '{OUTCOME_OF_NOBODY}', target, client_id, observed_on
            from outcomes o anti join clients c
                on c.client_id = o.client_id and o.observed_on - date '1970-01-01' >= c.since
        )
        select distinct * from rows order by all
        """
    )
