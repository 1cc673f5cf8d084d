"""Numeric features of snapshots, as known at the time: recency, frequency, monetary value and more.

The database aggregates integers only, so that the order of summation can't change the result;
fractions are computed at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pandas as pd

from evergreen.core.events.label_selection import numbered

YEAR_DAYS = 364  # whole weeks, so that weekdays match
SEASON = ("season_sin", "season_cos")
YEAR_AGO = ("purchases_year_ago", "spend_year_ago")


def lookbacks(windows_days: Sequence[int]) -> dict[str, int]:
    """Return every numeric feature with the number of days of history that it needs.

    A window needs its own length, a trend its window and the one before. Season and the same weeks
    a year ago need a year. All others describe the whole history and need no minimum.
    """
    needs = dict.fromkeys(
        (
            "recency_days",
            "frequency",
            "purchase_days",
            "monetary",
            "average_basket",
            "tenure_days",
            "purchase_rate",
            "gap_mean",
            "gap_std",
            "gap_variation",
            "gap_last",
            "overdue_ratio",
            "spend_mean",
            "spend_std",
            "spend_max",
            "spend_last",
            "returns",
            "returned_share",
        ),
        0,
    )
    for days in windows_days:
        needs |= {f"purchases_{days}d": days, f"spend_{days}d": days}
    for days in windows_days:
        if 2 * days in windows_days:
            needs |= {f"purchases_trend_{days}d": 2 * days, f"spend_trend_{days}d": 2 * days}
    return needs | dict.fromkeys(SEASON, YEAR_DAYS) | dict.fromkeys(YEAR_AGO, YEAR_DAYS)


def steady(windows_days: Sequence[int], history_days: int) -> list[str]:
    """Return the features that do not depend on the length of a history of at least so many days.

    These are features over a fixed number of days, and the last spend. All others add up or average
    the whole history, so they change from day to day as it grows.
    """
    needs = lookbacks(windows_days)
    fixed = [name for name, days in needs.items() if 0 < days <= history_days]
    return [name for name in (*fixed, "spend_last") if name not in (*SEASON, *YEAR_AGO)]


def activity(columns: Sequence[str]) -> str | None:
    """Return the column of purchases in the longest window; None if there is none.

    Clients are never removed from a history, so the share of those who have left for good grows
    every day. Clients with a purchase in this window have not left.
    """
    days = {name.removeprefix("purchases_").removesuffix("d"): name for name in columns}
    windows = {int(text): name for text, name in days.items() if text.isdigit()}
    return windows[max(windows)] if windows else None


def numeric_features(
    con: duckdb.DuckDBPyConnection,
    rows: pd.DataFrame,
    *,
    windows_days: Sequence[int],
    year_ago_days: int,
    minor_units: int,
) -> pd.DataFrame:
    """Compute all numeric features of some snapshots from the table ``ledger``.

    Parameters
    ----------
    con
        A connection with the ledger; see `evergreen.core.events.ledger.create_ledger`.
    rows
        client_id (string) and observed_on (date), one row for each snapshot. Clients may be
        missing from the ledger.
    windows_days
        The trailing windows [observed_on - days, observed_on).
    year_ago_days
        Length of the period that begins on the same day a year ago.
    minor_units
        Number of minor units of money in a major one.

    Returns
    -------
    pandas.DataFrame
        One row for each of `rows`, in the same order; the columns of `lookbacks`, float64: days,
        counts, and money in major units. Undefined values, such as the gap between purchases of a
        client with one purchase, are NaN.

    Notes
    -----
    Only changes of the ledger with day < observed_on and known_on <= observed_on are used.
    """
    keys = numbered(rows)
    con.register("feature_rows", keys)
    sums = con.sql(_sql(windows_days, year_ago_days)).df()
    con.unregister("feature_rows")
    return _ratios(sums, keys["observed_on"], windows_days, minor_units)


def _sql(windows_days: Sequence[int], year_ago_days: int) -> str:
    windows = "".join(
        f"""
        , sum(purchases) filter (age <= {days}) as purchases_{days}d
        , sum(spend) filter (age <= {days}) as spend_{days}d"""
        for days in windows_days
    )
    year_ago = f"age <= {YEAR_DAYS} and age > {YEAR_DAYS - year_ago_days}"
    return f"""
        with days as (
            select r.row, r.observed_on::date - l.day as age,
                   sum(l.purchases) as purchases, sum(l.spend) as spend,
                   sum(l.returns) as returns, sum(l.returned) as returned
            from feature_rows r join ledger l on l.client_id = r.client_id
                and l.day < r.observed_on::date and l.known_on <= r.observed_on::date
            group by all
        ), bought as (
            select row, age, spend, lag(age) over (partition by row order by age desc) - age as gap
            from days where purchases > 0
        ), all_days as (
            select row, max(age) as tenure_days, sum(purchases) as frequency,
                   sum(spend) as monetary, sum(returns) as returns, sum(returned) as returned,
                   sum(purchases) filter ({year_ago}) as purchases_year_ago,
                   sum(spend) filter ({year_ago}) as spend_year_ago
                   {windows}
            from days group by row
        ), bought_days as (
            select row, min(age) as recency_days, count(*) as purchase_days,
                   sum(gap) as gap_sum, (count(gap) * sum(gap::hugeint * gap)
                       - sum(gap)::hugeint * sum(gap))::double as gap_scatter,
                   arg_min(gap, age) as gap_last,
                   sum(spend) as bought_sum, (count(*) * sum(spend::hugeint * spend)
                       - sum(spend)::hugeint * sum(spend))::double as spend_scatter,
                   max(spend) as spend_max, arg_min(spend, age) as spend_last
            from bought group by row
        )
        select * from feature_rows
        left join all_days using (row) left join bought_days using (row)
        order by row
    """


def _ratios(
    sums: pd.DataFrame, observed_on: pd.Series, windows_days: Sequence[int], minor_units: int
) -> pd.DataFrame:
    totals = {c: sums[c].to_numpy(np.float64, na_value=np.nan) for c in sums.columns[3:]}

    def count(name: str) -> np.ndarray:
        return np.where(np.isnan(totals[name]), 0.0, totals[name])

    purchase_days, gaps = count("purchase_days"), count("purchase_days") - 1
    columns = {
        "recency_days": totals["recency_days"],
        "frequency": count("frequency"),
        "purchase_days": purchase_days,
        "monetary": count("monetary") / minor_units,
        "average_basket": _ratio(totals["monetary"], totals["frequency"]) / minor_units,
        "tenure_days": totals["tenure_days"],
        "purchase_rate": _ratio(totals["frequency"], totals["tenure_days"]),
        "gap_mean": _ratio(totals["gap_sum"], gaps),
        "gap_std": _deviation(totals["gap_scatter"], gaps),
        "gap_last": totals["gap_last"],
        "spend_mean": _ratio(totals["bought_sum"], purchase_days) / minor_units,
        "spend_std": _deviation(totals["spend_scatter"], purchase_days) / minor_units,
        "spend_max": totals["spend_max"] / minor_units,
        "spend_last": totals["spend_last"] / minor_units,
        "returns": count("returns"),
        "returned_share": _ratio(totals["returned"], totals["returned"] + totals["monetary"]),
        "purchases_year_ago": count("purchases_year_ago"),
        "spend_year_ago": count("spend_year_ago") / minor_units,
    }
    columns["gap_variation"] = _ratio(columns["gap_std"], columns["gap_mean"])
    columns["overdue_ratio"] = _ratio(columns["recency_days"], columns["gap_mean"])
    angle = 2 * np.pi * observed_on.dt.day_of_year.to_numpy(np.float64) / 365.25
    columns |= {"season_sin": np.sin(angle), "season_cos": np.cos(angle)}
    for days in windows_days:
        columns[f"purchases_{days}d"] = count(f"purchases_{days}d")
        columns[f"spend_{days}d"] = count(f"spend_{days}d") / minor_units
    for days in windows_days:
        for quantity in ("purchases", "spend") if 2 * days in windows_days else ():
            recent, both = columns[f"{quantity}_{days}d"], columns[f"{quantity}_{2 * days}d"]
            columns[f"{quantity}_trend_{days}d"] = _ratio(recent, both)
    return pd.DataFrame({name: columns[name] for name in lookbacks(windows_days)})


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """The quotient where the divisor is positive, otherwise NaN."""
    quotient: np.ndarray = top / np.where(bottom > 0, bottom, np.nan)
    return quotient


def _deviation(scatter: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Sample standard deviation from n * sum(x^2) - sum(x)^2; NaN below two values."""
    deviation: np.ndarray = np.sqrt(_ratio(scatter, n * (n - 1)))
    return deviation
