"""A history that is added up once, opened on many dates."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from evergreen.store.raw_history import KeptHistory, keep_history, open_history

TABLES = {
    "ledger": "select * from ledger order by all",
    "text_ledger": "select * exclude (text_id), text from text_ledger join texts using (text_id)"
    " order by all",
}


@pytest.fixture
def late(repository, retailer):
    """A retailer some of whose rows come in days later, and some of whose invoices are undone."""
    rows = retailer.to_pandas()
    random = np.random.default_rng(1)
    waits = random.choice([0, 0, 0, 1, 4], len(rows))
    undone = rows.sample(frac=0.1, random_state=1)
    undone = undone.assign(amount_minor=-2 * undone["amount_minor"], text="returned")
    waits = np.concatenate([waits, random.integers(0, 30, len(undone))])
    rows = pd.concat([rows, undone], ignore_index=True)
    came = pd.to_datetime(rows["ingested_on"]) + pd.to_timedelta(waits, unit="D")
    rows = rows.assign(ingested_on=came.dt.date)
    repository.write_raw(pa.Table.from_pandas(rows, schema=retailer.schema, preserve_index=False))
    return repository


@pytest.mark.parametrize("days", [0, 1, 3, 20, 60])
def test_what_was_known_by_a_date_is_a_part_of_what_is_known_at_the_end(late, days):
    as_of = late.settings.as_of
    how = {"max_lag_days": 400, "threads": 2, "max_chars": 40}
    keep_history(Path("history.duckdb"), known_by=as_of, **how)
    kept = KeptHistory(Path("history.duckdb"), max_chars=40)
    by = as_of - timedelta(days=days)
    (then, until), (now, same) = (opened(known_by=by, **how) for opened in (open_history, kept))
    assert until == same
    for rows in TABLES.values():
        assert then.sql(rows).fetchall() == now.sql(rows).fetchall()


def test_texts_of_another_length_are_refused(late):
    how = {"known_by": late.settings.as_of, "max_lag_days": 3, "threads": 2}
    keep_history(Path("history.duckdb"), max_chars=40, **how)
    with pytest.raises(ValueError, match="texts of 40 characters were kept, not 50"):
        KeptHistory(Path("history.duckdb"), max_chars=40)(max_chars=50, **how)
