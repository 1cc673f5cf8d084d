"""Whether values are distributed as they were at training: how far apart, not how surely so.

A test of equality calls any difference drift once there are rows enough. Here the Jensen-Shannon
distance is compared with a limit, and small samples widen its bound instead of raising alerts: the
verdict is the same at 500 rows and at 50,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS = 10


@dataclass(frozen=True)
class Reference:
    """The distribution of a column at training.

    Attributes
    ----------
    edges
        Upper ends of all bins but the last, float64, strictly rising; a bin holds its upper end.
    shares
        Of the rows in each bin, and last of those whose value is missing; they add up to 1.
    clients
        So many clients the rows were of: the rows of one client are taken for one piece of
        evidence.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    clients: int

    def to_dict(self) -> dict[str, Any]:
        """As a model keeps it."""
        return {"edges": list(self.edges), "shares": list(self.shares), "clients": self.clients}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Reference:
        """What `to_dict` gave."""
        return cls(tuple(content["edges"]), tuple(content["shares"]), content["clients"])


@dataclass(frozen=True)
class Distance:
    """How far a column is from its reference: 0 is the same, 1 nothing in common.

    Attributes
    ----------
    value
        Without what the size of the sample alone would make of it.
    at_least
        A lower bound.
    """

    value: float
    at_least: float


def reference(values: Floats, *, clients: int) -> Reference:
    """Describe a column by its deciles, as few numbers as tell a shift.

    Parameters
    ----------
    values
        float64 (n,), missing ones not finite. A value that many rows share is an edge of its own,
        so a column of few distinct values, or of a single one, is described exactly.
    clients
        To whom the rows belong.
    """
    finite = values[np.isfinite(values)]
    found: set[float] = set()
    if finite.size:
        inner = np.quantile(finite, np.arange(1, BINS) / BINS, method="inverted_cdf")
        found = {float(np.nextafter(inner[0], -np.inf)), *map(float, inner)}
    edges = tuple(sorted(found))
    return Reference(edges, tuple(_shares(values, edges).tolist()), clients)


def _shares(values: Floats, edges: tuple[float, ...]) -> Floats:
    finite = np.isfinite(values)
    place = np.searchsorted(edges, values[finite], side="left")
    counts = np.bincount(place, minlength=len(edges) + 1)
    shares: Floats = np.append(counts, np.count_nonzero(~finite)) / max(1, values.size)
    return shares


def distance(expected: Reference, values: Floats, *, tail: float) -> Distance:
    """Compare values, one a client, with their reference; see `distance_of_shares`."""
    shares = _shares(values, expected.edges)
    return distance_of_shares(
        np.array(expected.shares), shares, clients=(expected.clients, values.size), tail=tail
    )


def distance_of_shares(
    before: Floats, now: Floats, *, clients: tuple[int, int], tail: float
) -> Distance:
    """Compute the Jensen-Shannon distance [1]_ of two distributions, and its lower bound.

    In bits the divergence lies between 0 and 1; the distance is its square root. Two samples of one
    distribution are (k - 1) (1/m + 1/n) / (8 ln 2) apart on average, k bins in use [2]_: so much is
    subtracted. The standard error follows from the delta method, with the derivatives
    log2(p / m) / 2 for either side.

    Parameters
    ----------
    before, now
        Shares of the same bins, float64 (k,).
    clients
        So many went into either.
    tail
        Chance that the bound lies above the true distance.

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
