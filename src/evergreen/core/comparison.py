"""Compare champion, challengers and baselines of one target on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from evergreen.core import gate, metrics
from evergreen.core.baselines import WITHOUT_A_MODEL
from evergreen.core.losses import LOSS_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd

CHAMPION = "champion"
INCREMENTAL = "incremental"
FULL = "full"


@dataclass(frozen=True)
class Comparison:
    """The outcome for one target.

    Attributes
    ----------
    opponent
        What the challengers had to beat: ``champion``, or the better of the baselines that need
        no model where there is none; None where there is no baseline either.
    decisions
        The gate's verdict on each challenger.
    winner
        The challenger to promote; None to leave things as they are.
    metrics
        The figures of every model on the same rows.
    """

    opponent: str | None
    decisions: dict[str, gate.Decision]
    winner: str | None
    metrics: dict[str, dict[str, float | None]]


def compare(
    kind: gate.Kind,
    y: pd.Series,
    clients: pd.Series,
    *,
    champion: np.ndarray | None,
    challengers: dict[str, np.ndarray],
    baselines: dict[str, np.ndarray],
    alphas: dict[str, float],
    label_cap: float | None,
    label_mean: float | None,
    minimum: gate.Minimum,
) -> Comparison:
    """Score all on the same rows and let the gate decide on each challenger.

    Without a champion the better of the baselines that need no model stands in for it: a first
    release has to beat what anyone does without one, by the same rule. The challengers of one run
    share the chance of a false promotion: each gets its alpha divided by their number. Of several
    that pass, the one with the largest proven gain wins.

    Parameters
    ----------
    y, clients
        Labels (float64) and client ids of n held-out rows.
    champion, challengers, baselines
        Predictions, float64 (n,).
    alphas
        For each challenger its chance of a false promotion.
    label_cap, label_mean
        Of the labels that the champion was trained on.
    """
    predictions = baselines if champion is None else {CHAMPION: champion} | baselines
    measured = {
        name: metrics.evaluate(kind, y, values, label_cap=label_cap, label_mean=label_mean)
        for name, values in (predictions | challengers).items()
    }
    opponent = (
        CHAMPION
        if champion is not None
        else _best(
            measured, [name for name in baselines if name in WITHOUT_A_MODEL], LOSS_NAME[kind]
        )
    )
    decisions = {
        name: gate.decide(
            kind,
            y,
            predictions[str(opponent)],
            values,
            clients=clients,
            alpha=alphas[name] / len(challengers),
            label_cap=label_cap,
            label_mean=label_mean,
            minimum=minimum,
        )
        for name, values in challengers.items()
    }
    passed = {name: d.interval[0] for name, d in decisions.items() if d.promote and d.interval}
    winner = max(passed, key=lambda name: passed[name]) if passed else None
    return Comparison(opponent, decisions, winner, measured)


def _best(
    measured: dict[str, dict[str, float | None]], names: Iterable[str], loss: str
) -> str | None:
    """The one with the smallest loss; the first where none is known."""

    def rank(name: str) -> float:
        value = measured[name][loss]
        return inf if value is None else value

    return min(names, key=rank, default=None)
