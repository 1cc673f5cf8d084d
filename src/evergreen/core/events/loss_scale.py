"""What limits the labels of a regression, so that no one client decides: training and losses."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

CAP_QUANTILE = 0.999
CAP_RANK = 10


class LossScale(NamedTuple):
    """The scale of the regression loss, so that no single row decides.

    Attributes
    ----------
    cap
        Labels and predictions count up to this amount, in units of the label. None, not finite or
        not positive: no cap.
    mean
        Mean training label, each capped: predictions are raised to 1 % of it. None, not finite or
        not positive: the mean of the labels that are judged.
    """

    cap: float | None = None
    mean: float | None = None

    @classmethod
    def of_labels(cls, labels: ArrayLike, clients: ArrayLike | None = None) -> LossScale:
        """Compute the scale from the labels that a model is trained on.

        The cap is the smaller of their 99.9 % quantile and the `shared_maximum` of the clients.
        The quantile alone is not enough: one wild transaction is in several labels of its client,
        and of a few thousand labels 99.9 % is one of these.

        Parameters
        ----------
        labels
            Shape (n,), finite.
        clients
            The client of each label, shape (n,). None: each label is of its own client.
        """
        values = pd.Series(np.asarray(labels, dtype=np.float64))
        maxima = values if clients is None else values.groupby(np.asarray(clients)).max()
        bounds = float(values.quantile(CAP_QUANTILE)), shared_maximum(maxima.to_numpy())
        cap = min((bound for bound in bounds if bound > 0), default=0.0)
        return cls(cap, float(values.clip(upper=cap).mean()))

    def cap_for(self, kind: str) -> float:
        """The cap of labels and predictions; infinite where there is none."""
        return (positive_or_none(self.cap) if kind == "regression" else None) or inf

    def capped(self, kind: str, labels: pd.Series) -> pd.Series:
        """Return the labels to train on: amounts are capped."""
        return labels.clip(upper=self.cap_for(kind))


UNSCALED = LossScale()


def shared_maximum(maxima: np.ndarray) -> float:
    """Return the largest value that does not depend on any one client: the tenth-largest maximum.

    With fewer than ten clients above zero it is the median of theirs (the lower of two), and with
    a single one that client's own; 0 if there is none.

    Parameters
    ----------
    maxima
        The largest value of each client, shape (n,).

    Examples
    --------
    >>> shared_maximum(np.arange(1.0, 21))
    11.0
    >>> shared_maximum(np.array([3.0, 5, 36e9, 0]))
    5.0
    """
    positive = np.sort(maxima[maxima > 0])[::-1]
    if not positive.size:
        return 0.0
    rank = CAP_RANK if positive.size >= CAP_RANK else positive.size // 2 + 1
    return float(positive[rank - 1])


def positive_or_none(value: float | None) -> float | None:
    """Return a scale that can be divided by, or None."""
    return value if value is not None and isfinite(value) and value > 0 else None
