"""Drift: the distance of a distribution from that at training.

With enough rows, a test of equality calls any difference drift. Here the lower bound of the
Jensen-Shannon distance is compared with a limit: few rows lower the bound instead of raising
alerts, and the result is the same with 500 rows and with 50,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from evergreen.core.models.validation import FloatArray

BINS = 10


@dataclass(frozen=True)
class Reference:
    """The distribution of a column at training.

    Attributes
    ----------
    edges
        Upper ends of all bins but the last, float64, strictly rising; a bin holds its upper end.
    shares
        The share of the rows in each bin, and last of those without a value; they add up to 1.
    clients
        The number of clients: the rows of one client count as one observation.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    clients: int

    def to_dict(self) -> dict[str, Any]:
        """Return the content of a model's reference file."""
        return {"edges": list(self.edges), "shares": list(self.shares), "clients": self.clients}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Reference:
        """Read what `to_dict` returned."""
        return cls(tuple(content["edges"]), tuple(content["shares"]), content["clients"])


@dataclass(frozen=True)
class Distance:
    """The distance of a column from its reference: 0 is the same distribution, 1 no overlap.

    Attributes
    ----------
    value
        The estimate, corrected for the bias of small samples.
    at_least
        Its lower bound.
    """

    value: float
    at_least: float


def reference(values: FloatArray, *, clients: int) -> Reference:
    """Describe a column by its deciles: few numbers that show a shift.

    Parameters
    ----------
    values
        float64 (n,), missing ones not finite. A value that many rows share is its own edge, so a
        column with few distinct values, or a single one, is described exactly.
    clients
        The number of clients that the rows belong to.
    """
    finite = values[np.isfinite(values)]
    limits: set[float] = set()
    if finite.size:
        inner = np.quantile(finite, np.arange(1, BINS) / BINS, method="inverted_cdf")
        limits = {float(np.nextafter(inner[0], -np.inf)), *map(float, inner)}
    edges = tuple(sorted(limits))
    return Reference(edges, tuple(_shares(values, edges).tolist()), clients)


def _shares(values: FloatArray, edges: tuple[float, ...]) -> FloatArray:
    finite = np.isfinite(values)
    place = np.searchsorted(edges, values[finite], side="left")
    counts = np.bincount(place, minlength=len(edges) + 1)
    shares: FloatArray = np.append(counts, np.count_nonzero(~finite)) / max(1, values.size)
    return shares


def distance(expected: Reference, values: FloatArray, *, tail: float) -> Distance:
    """Compare values, one for each client, with their reference; see `distance_of_shares`."""
    shares = _shares(values, expected.edges)
    return distance_of_shares(
        np.array(expected.shares), shares, clients=(expected.clients, values.size), tail=tail
    )


def distance_of_shares(
    before: FloatArray, now: FloatArray, *, clients: tuple[int, int], tail: float
) -> Distance:
    """Compute the Jensen-Shannon distance [1]_ of two distributions, and its lower bound.

    In bits the divergence is between 0 and 1; the distance is its square root. Two samples of one
    distribution have a mean divergence of (k - 1) (1/m + 1/n) / (8 ln 2), k the bins in use [2]_,
    which is subtracted. The standard error follows from the delta method, with the derivatives
    log2(p / m) / 2 for either side.

    Parameters
    ----------
    before, now
        Shares of the same bins, float64 (k,).
    clients
        The numbers of clients behind either.
    tail
        Chance that the lower bound is above the true distance.

    References
    ----------
    .. [1] Lin (1991). Divergence measures based on the Shannon entropy. IEEE Transactions on
       Information Theory 37, 145-151.
    .. [2] Menendez, Pardo, Pardo, Pardo (1997). The Jensen-Shannon divergence. Journal of the
       Franklin Institute 334, 307-318.
    """
    middle = (before + now) / 2
    used = middle > 0
    divergence = bias = variance = 0.0
    for shares, size in zip((before, now), clients, strict=True):
        part = shares[used]
        slope = np.log2(np.where(part > 0, part, middle[used]) / middle[used]) / 2
        mean = float(part @ slope)
        divergence += mean
        variance += max(0.0, float(part @ slope**2) - mean**2) / size
        bias += (np.count_nonzero(used) - 1) / size / (8 * np.log(2))
    without = divergence - bias
    bound = without + float(ndtri(tail)) * np.sqrt(variance)
    return Distance(*(float(np.sqrt(max(0.0, part))) for part in (without, bound)))
