"""Client attributes as features: what was valid and known at the snapshot.

Numbers are used as they are. A word is encoded by its rank among the training clients, the most
frequent word first, in a list that is frozen with the feature extractor. A word that appears later,
or that few clients have, counts as missing and can't change the meaning of a code.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from evergreen.core.events.label_selection import numbered
from evergreen.core.features.chunks import CONSTANT, constant

NUMBER, LEVEL = "number_", "level_"
"""How column names of the table begin, by the type of the attribute."""

MIN_CLIENTS = 5
"""A word that fewer training clients have is no level: it may be a name."""


@dataclass(frozen=True)
class Attributes:
    """The attributes that models see.

    Attributes
    ----------
    numbers
        Names of the columns that are used as they are.
    levels
        The words of each other column, the most frequent first; the code is the index in the list.
    """

    numbers: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]

    @property
    def names(self) -> list[str]:
        """The resulting columns, in order."""
        return [*self.numbers, *self.levels]

    def transform(self, known: pd.DataFrame) -> pd.DataFrame:
        """Encode the result of `known_attributes` as float64; missing values and words are NaN."""
        columns = {name: _column(known, name).astype(np.float64) for name in self.numbers}
        for name, levels in self.levels.items():
            codes = {level: float(code) for code, level in enumerate(levels)}
            columns[name] = _column(known, name).map(codes).astype(np.float64)
        return pd.DataFrame(columns, index=known.index)


def _column(known: pd.DataFrame, name: str) -> pd.Series:
    return known[name] if name in known else pd.Series(np.nan, index=known.index)


def known_attributes(con: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> pd.DataFrame:
    """Read the attributes of each client that were valid and known at the start of the snapshot.

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
        One row for each of `rows`, in the same order: the last row that was valid by observed_on
        and known before. It is used as a whole: what is blank in it is missing.

    Notes
    -----
    What became known on the day of the snapshot is not read: a run uses what was known before its
    date, so the model in production did not see it either.
    """
    names = con.sql("select * from attributes").columns
    columns = [name for name in names if name.startswith((NUMBER, LEVEL))]
    con.register("attribute_rows", numbered(rows))
    attributes: pd.DataFrame = con.sql(
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
    return attributes[columns]


def fit_attributes(
    con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, clients: pd.DataFrame, *, support: float
) -> tuple[Attributes | None, dict[str, str]]:
    """Choose the levels and the attributes that models see.

    Parameters
    ----------
    rows
        client_id and observed_on of the training snapshots.
    clients
        Each training client once, observed on the day on which the feature extractor is fitted.
    support
        An attribute is kept if it was first known before this share of `rows`.

    Returns
    -------
    (Attributes or None, dict)
        None if no attribute is left; and the attributes left out, each with the reason.
    """
    now = known_attributes(con, clients)
    words = now.columns[now.columns.str.startswith(LEVEL)]
    levels = {name: _levels(now[name]) for name in words}
    candidates = Attributes(tuple(now.columns.drop(words)), levels)
    left_out = _unsupported(con, rows, candidates.names, support)
    columns = candidates.transform(known_attributes(con, rows))
    left_out = dict.fromkeys(constant([columns]), CONSTANT) | left_out
    attributes = Attributes(
        tuple(name for name in candidates.numbers if name not in left_out),
        {name: words for name, words in levels.items() if name not in left_out},
    )
    return attributes if attributes.names else None, left_out


def _levels(words: pd.Series) -> tuple[str, ...]:
    counts = words.value_counts()
    frequent = counts[counts >= MIN_CLIENTS]
    return tuple(sorted(frequent.index, key=lambda word: (-frequent[word], word)))


def _unsupported(
    con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, names: list[str], support: float
) -> dict[str, str]:
    observed, left_out = pd.to_datetime(rows["observed_on"]), {}
    for name in names:
        [(first,)] = con.sql(
            f'select min(ingested_on) from attributes where "{name}" is not null'
        ).fetchall()
        share = float((observed > pd.Timestamp(first)).mean()) if first else 0.0
        if share < support:
            left_out[name] = f"first known before {share:.0%} of the training snapshots"
    return left_out
