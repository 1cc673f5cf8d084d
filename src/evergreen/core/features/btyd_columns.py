"""Expectations of buy-till-you-die models as columns: a baseline, and features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evergreen.core.models.bg_nbd import BgNbd, fit_bg_nbd
from evergreen.core.models.gamma_gamma import GammaGamma, fit_gamma_gamma
from evergreen.core.models.likelihood import FloatArray, Unfitted


def probability_column(horizon_days: int) -> str:
    """The name of the column with the probability of a purchase within a horizon."""
    return f"btyd_purchase_probability_{horizon_days}d"


def spend_column(horizon_days: int) -> str:
    """The name of the column with the expected spend within a horizon."""
    return f"btyd_spend_{horizon_days}d"


@dataclass(frozen=True)
class Btyd:
    """Models of when clients return and what they spend, fitted once and then frozen.

    Attributes
    ----------
    horizons_days
        How far ahead the models predict; one column of each kind for each horizon.
    purchases, spend
        The two models. An `Unfitted` model has no columns; columns of spend need both models.
    """

    horizons_days: tuple[int, ...]
    purchases: BgNbd | Unfitted
    spend: GammaGamma | Unfitted

    @property
    def names(self) -> list[str]:
        """The columns, in order."""
        if isinstance(self.purchases, Unfitted):
            return []
        named = [probability_column] if isinstance(self.spend, Unfitted) else _ALL
        return [name(days) for name in named for days in self.horizons_days]

    def transform(self, numeric: pd.DataFrame) -> pd.DataFrame:
        """Compute the columns from `evergreen.core.features.numeric.numeric_features`.

        Returns
        -------
        DataFrame
            float64, one row for each of `numeric`: a probability, and money in major units. NaN
            for a client who has never bought.
        """
        columns = pd.DataFrame(np.nan, index=numeric.index, columns=self.names)
        bought = (numeric["purchase_days"] > 0).to_numpy()
        if isinstance(self.purchases, Unfitted) or not bought.any():
            return columns
        buyers = numeric[bought]
        (x, t_x, T), places = np.unique(_history(buyers), axis=1, return_inverse=True)
        for days in self.horizons_days:
            away = self.purchases.no_purchase_probability(x, t_x, T, days)
            columns.loc[bought, probability_column(days)] = (1 - away)[places]
        if not isinstance(self.spend, Unfitted):
            each = self.spend.expected_mean(*_spend(buyers))
            for days in self.horizons_days:
                times = self.purchases.expected_purchases(x, t_x, T, days)[places]
                columns.loc[bought, spend_column(days)] = times * each
        return columns


_ALL = [probability_column, spend_column]


def fit_btyd(numeric: pd.DataFrame, *, horizons_days: tuple[int, ...]) -> Btyd:
    """Fit both models on the features of clients on one day, one row for each client."""
    bought = numeric[numeric["purchase_days"] > 0]
    purchases = fit_bg_nbd(*_history(bought))
    return Btyd(horizons_days, purchases, fit_gamma_gamma(*_spend(bought)))


def _history(bought: pd.DataFrame) -> FloatArray:
    """Repeat purchases, and days from the first to the last and from the first to now: (3, n)."""
    days, recency, gap = (
        bought[name].to_numpy(np.float64) for name in ("purchase_days", "recency_days", "gap_mean")
    )
    x = days - 1
    t_x = np.where(x > 0, np.round(gap * x), 0.0)  # an integer again
    return np.stack([x, t_x, t_x + recency])


def _spend(bought: pd.DataFrame) -> FloatArray:
    """Days with a purchase, and the mean spend on these days: (2, n)."""
    return np.stack([bought[name].to_numpy(np.float64) for name in ("purchase_days", "spend_mean")])
