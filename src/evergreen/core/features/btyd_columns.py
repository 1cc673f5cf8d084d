"""What buy-till-you-die models expect of each snapshot, as columns: a baseline, and features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.core.models.bg_nbd import BgNbd, fit_bg_nbd
from evergreen.core.models.gamma_gamma import GammaGamma, fit_gamma_gamma
from evergreen.core.models.likelihood import Unfitted

if TYPE_CHECKING:
    from evergreen.core.models.likelihood import FloatArray


def probability_column(horizon_days: int) -> str:
    """The name of the column with the probability of a purchase within a horizon."""
    return f"btyd_purchase_probability_{horizon_days}d"


def spend_column(horizon_days: int) -> str:
    """The name of the column with the expected spend within a horizon."""
    return f"btyd_spend_{horizon_days}d"


@dataclass(frozen=True)
class Btyd:
    """When clients come again and what they spend then, fitted once and then frozen.

    Attributes
    ----------
    horizons_days
        How far ahead is looked, one column of each sort for each.
    purchases, spend
        The two models; `Unfitted` stands for one that there is not, and its columns with it. Spend
        needs both.
    """

    horizons_days: tuple[int, ...]
    purchases: BgNbd | Unfitted
    spend: GammaGamma | Unfitted

    @property
    def names(self) -> list[str]:
        """The columns that there are."""
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
        made = pd.DataFrame(np.nan, index=numeric.index, columns=self.names)
        bought = (numeric["purchase_days"] > 0).to_numpy()
        if isinstance(self.purchases, Unfitted) or not bought.any():
            return made
        known = numeric[bought]
        (x, t_x, T), places = np.unique(_history(known), axis=1, return_inverse=True)
        for days in self.horizons_days:
            away = self.purchases.no_purchase_probability(x, t_x, T, days)
            made.loc[bought, probability_column(days)] = (1 - away)[places]
        if not isinstance(self.spend, Unfitted):
            each = self.spend.expected_mean(*_spend(known))
            for days in self.horizons_days:
                times = self.purchases.expected_purchases(x, t_x, T, days)[places]
                made.loc[bought, spend_column(days)] = times * each
        return made


_ALL = [probability_column, spend_column]


def fit_btyd(numeric: pd.DataFrame, *, horizons_days: tuple[int, ...]) -> Btyd:
    """Fit both models on the features of clients, all observed on one day: a row for each."""
    bought = numeric[numeric["purchase_days"] > 0]
    purchases = fit_bg_nbd(*_history(bought))
    return Btyd(horizons_days, purchases, fit_gamma_gamma(*_spend(bought)))


def _history(bought: pd.DataFrame) -> FloatArray:
    """Repeat purchases, days from the first to the last, and from the first until now: (3, n)."""
    days, recency, gap = (
        bought[name].to_numpy(np.float64) for name in ("purchase_days", "recency_days", "gap_mean")
    )
    x = days - 1
    t_x = np.where(x > 0, np.round(gap * x), 0.0)  # a whole number again
    return np.stack([x, t_x, t_x + recency])


def _spend(bought: pd.DataFrame) -> FloatArray:
    """Days with a purchase, and the mean spend on them: (2, n)."""
    return np.stack([bought[name].to_numpy(np.float64) for name in ("purchase_days", "spend_mean")])
