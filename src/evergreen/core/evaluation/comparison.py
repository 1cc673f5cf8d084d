"""Compare champion, challengers and baselines of one target on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, TypedDict

from evergreen.core.evaluation import gate, metrics
from evergreen.core.evaluation.decision import gain_in_words
from evergreen.core.evaluation.losses import LOSS_NAME
from evergreen.core.evaluation.model_names import CHAMPION, INCREMENTAL, WITHOUT_A_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd

    from evergreen.core.events.loss_scale import LossScale


class Evidence(TypedDict):
    """What every look of one target shares."""

    clients: pd.Series
    scale: LossScale
    minimum: gate.Minimum


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
    warnings
        In words, each baseline that the champion is proven to be worse than.
    """

    opponent: str | None
    decisions: dict[str, gate.Decision]
    winner: str | None
    metrics: dict[str, dict[str, float | None]]
    warnings: tuple[str, ...]


def compare(
    kind: gate.Kind,
    y: pd.Series,
    clients: pd.Series,
    *,
    champion: np.ndarray | None,
    challengers: dict[str, np.ndarray],
    baselines: dict[str, np.ndarray],
    alphas: dict[str, float],
    scale: LossScale,
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
        For each challenger its chance of a false promotion. The baselines share that of an
        incremental candidate, as they are looked at in every run: it is the chance of a warning
        about a champion that none of them beats.
    scale
        Of the labels that the champion was trained on.
    """
    predictions = baselines if champion is None else {CHAMPION: champion} | baselines
    measured = {
        name: metrics.evaluate(kind, y, values, scale)
        for name, values in (predictions | challengers).items()
    }
    opponent = (
        CHAMPION
        if champion is not None
        else _best(
            measured, [name for name in baselines if name in WITHOUT_A_MODEL], LOSS_NAME[kind]
        )
    )
    evidence: Evidence = {
        "clients": clients,
        "scale": scale,
        "minimum": minimum,
    }
    decisions = {
        name: gate.decide(
            kind,
            y,
            predictions[str(opponent)],
            values,
            alpha=alphas[name] / len(challengers),
            **evidence,
        )
        for name, values in challengers.items()
    }
    warnings: tuple[str, ...] = ()
    if champion is not None and baselines:
        alpha = alphas[INCREMENTAL] / len(baselines)
        warnings = tuple(
            f"{name} beats the champion: {gain_in_words(found.gain, found.interval, alpha)}"
            for name, values in baselines.items()
            for found in [gate.lead_of(values, kind, y, champion, alpha=alpha, **evidence)]
            if found is not None
        )
    passed = {name: d.interval[0] for name, d in decisions.items() if d.promote and d.interval}
    winner = max(passed, key=lambda name: passed[name]) if passed else None
    return Comparison(opponent, decisions, winner, measured, warnings)


def _best(
    measured: dict[str, dict[str, float | None]], names: Iterable[str], loss: str
) -> str | None:
    """The one with the smallest loss; the first where none is known."""

    def rank(name: str) -> float:
        value = measured[name][loss]
        return inf if value is None else value

    return min(names, key=rank, default=None)
