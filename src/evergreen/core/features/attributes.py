"""Client attributes as features: what was valid and known at the snapshot.

Numbers are taken as they are. Words become the rank of their frequency among training clients, most
frequent first, in a list that is frozen with the extractor: a word that comes later, or that few
clients have, is missing, and can't change the meaning of a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.core.events.label_selection import CONSTANT, constant, numbered

if TYPE_CHECKING:
    import duckdb

NUMBER, LEVEL = "number_", "level_"
"""How the columns of the table begin, by what they hold."""

MIN_CLIENTS = 5
"""A word of fewer training clients is no level: it may be a name, and teaches nothing."""


@dataclass(frozen=True)
class Attributes:
    """The attributes that models see.

    Attributes
    ----------
    numbers
        Names of the columns that are taken as they are.
    levels
        The words of each other column, the most frequent first; the code is the place in the list.
    """

    numbers: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]

    @property
    def names(self) -> list[str]:
        """The columns that are made, in order."""
        return [*self.numbers, *self.levels]

    def transform(self, known: pd.DataFrame) -> pd.DataFrame:
        """Encode what `known_attributes` has read, float64; what is missing or no level is NaN."""
        made = {name: _column(known, name).astype(np.float64) for name in self.numbers}
        for name, levels in self.levels.items():
            codes = {level: float(code) for code, level in enumerate(levels)}
            made[name] = _column(known, name).map(codes).astype(np.float64)
        return pd.DataFrame(made, index=known.index)


def _column(known: pd.DataFrame, name: str) -> pd.Series:
    return known[name] if name in known else pd.Series(np.nan, index=known.index)


def known_attributes(con: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> pd.DataFrame:
    """The attributes of each client as they were valid and known at the start of the snapshot.

    Parameters
    ----------
    con
        A connection with the view ``attributes``: client_id, valid_from, ingested_on, and columns
        that begin with `NUMBER` or `LEVEL`.
    rows
        client_id (string) and observed_on (date), one row for each snapshot.

    Returns
    -------
    pandas.DataFrame
        One row for each of `rows`, in the same order. Of what is valid by observed_on and became
        known before, the last row holds as a whole: what is blank in it is missing.

    Notes
    -----
    What became known on the day of the snapshot itself is not read: a run takes in what was known
    before its date, so the model in production did not see it either.
    """
    every = con.sql("select * from attributes").columns
    columns = [name for name in every if name.startswith((NUMBER, LEVEL))]
    con.register("attribute_rows", numbered(rows))
    found: pd.DataFrame = con.sql(
        """
        select * from attribute_rows left join (
            select r.row, a.* exclude (client_id) from attribute_rows r
            join attributes a on a.client_id = r.client_id
                and a.valid_from <= r.observed_on::date and a.ingested_on < r.observed_on::date
            qualify row_number() over (
                partition by r.row order by a.valid_from desc, a.ingested_on desc) = 1
        ) using (row) order by row
        """
    ).df()
    con.unregister("attribute_rows")
    return found[columns]


def fit_attributes(
    con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, clients: pd.DataFrame, *, support: float
) -> tuple[Attributes | None, dict[str, str]]:
    """List the levels, and decide which attributes tell anything.

    Parameters
    ----------
    rows
        client_id and observed_on of the training snapshots.
    clients
        Each training client once, observed on the day on which the extractor is fitted.
    support
        An attribute is kept if it began to be known before this share of `rows`.

    Returns
    -------
    (Attributes or None, dict)
        None where no attribute is left; and those left out, each with the reason.
    """
    now = known_attributes(con, clients)
    words = now.columns[now.columns.str.startswith(LEVEL)]
    levels = {name: _levels(now[name]) for name in words}
    every = Attributes(tuple(now.columns.drop(words)), levels)
    left_out = _unknown_so_long(con, rows, every.names, support)
    made = every.transform(known_attributes(con, rows))
    left_out = dict.fromkeys(constant(made), CONSTANT) | left_out
    kept = Attributes(
        tuple(name for name in every.numbers if name not in left_out),
        {name: found for name, found in levels.items() if name not in left_out},
    )
    return kept if kept.names else None, left_out


def _levels(words: pd.Series) -> tuple[str, ...]:
    counts = words.value_counts()
    kept = counts[counts >= MIN_CLIENTS]
    return tuple(sorted(kept.index, key=lambda word: (-kept[word], word)))


def _unknown_so_long(
    con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, names: list[str], support: float
) -> dict[str, str]:
    observed, left_out = pd.to_datetime(rows["observed_on"]), {}
    for name in names:
        [(first,)] = con.sql(
            f"select min(ingested_on) from attributes where {name} is not null"
        ).fetchall()
        share = float((observed > pd.Timestamp(first)).mean()) if first else 0.0
        if share < support:
            left_out[name] = f"began to be known before {share:.0%} of the training snapshots"
    return left_out
