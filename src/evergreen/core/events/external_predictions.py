"""Predictions and outcomes from elsewhere: what of them has met, and what has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import duckdb

PREDICTION_ALONE = "prediction without an outcome"
OUTCOME_ALONE = "outcome without a prediction"
OUTCOME_OF_NOBODY = "outcome of a client who is not known by then"


def create_unmatched(
    con: duckdb.DuckDBPyConnection, *, horizons_days: Mapping[str, int], complete_until: date
) -> None:
    """Make the table ``unmatched`` (unmatched, target, client_id, observed_on), in that order.

    It is made from ``labels``, ``snapshots``, and the views ``outcomes`` and ``predicted`` (target,
    client_id, observed_on, value, ingested_on). A prediction is without an outcome if its window
    has closed and there is no label. Where nothing was predicted for a target, no outcome of it
    misses its prediction.
    """
    horizons = ", ".join(f"('{name}', {days})" for name, days in horizons_days.items())
    con.execute(
        f"""
        create table unmatched as
        with horizons (target, days) as (values {horizons}), found as (
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
            from outcomes anti join snapshots using (client_id, observed_on)
        )
        select distinct * from found order by all
        """
    )
