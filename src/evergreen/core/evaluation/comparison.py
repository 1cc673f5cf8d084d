"""Compare champion, challengers and baselines of one target on the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from evergreen.core.evaluation import gate, metrics
from evergreen.core.evaluation.decision import gain_in_words
from evergreen.core.evaluation.losses import LOSS_NAME
from evergreen.core.evaluation.model_names import CHAMPION, INCREMENTAL, WITHOUT_A_MODEL

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """The outcome for one target.

    Attributes
    ----------
    kind
        Of the target.
    opponent
        What the challengers have to beat: ``champion``, or without one the better of the baselines
        that need no model; None if there is no baseline either.
    decisions
        The gate's verdict on each challenger.
    winner
        The challenger to promote; None if the champion stays.
    metrics
        The metrics of every model on the same rows.
    warnings
        A sentence for each baseline that is proven to be better than the champion.
    """

    kind: gate.Kind
    opponent: str | None
    decisions: dict[str, gate.Decision]
    winner: str | None
    metrics: dict[str, dict[str, float | None]]
    warnings: tuple[str, ...]


def compare(
    outcomes: gate.Outcomes,
    *,
    champion: np.ndarray | None,
    challengers: dict[str, np.ndarray],
    baselines: dict[str, np.ndarray],
    alphas: dict[str, float],
    minimum: gate.Minimum,
) -> Comparison:
    """Evaluate all models on the same rows and let the gate decide on each challenger.

    Without a champion, the better of the baselines that need no model takes its place: a first
    release has to beat what anyone can predict without a model, by the same rule. The challengers
    of one run share the chance of a false promotion: each gets its alpha divided by their number.
    Of several that pass, the one with the largest lower bound of the gain wins.

    Parameters
    ----------
    outcomes
        Of n held-out rows.
    champion, challengers, baselines
        Predictions, float64 (n,).
    alphas
        For each challenger its chance of a false promotion. The baselines share that of an
        incremental candidate, since they are compared in every run: it is the chance of a warning
        about a champion that none of them beats.
    minimum
        As for `evergreen.core.evaluation.gate.decide`.
    """
    kind = outcomes.kind
    predictions = baselines if champion is None else {CHAMPION: champion} | baselines
    measured = {
        name: metrics.evaluate(kind, outcomes.y_true, values, outcomes.scale)
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
            outcomes,
            predictions[str(opponent)],
            values,
            alpha=alphas[name] / len(challengers),
            minimum=minimum,
        )
        for name, values in challengers.items()
    }
    warnings: tuple[str, ...] = ()
    if champion is not None and baselines:
        alpha = alphas[INCREMENTAL] / len(baselines)
        warnings = tuple(
            f"{name} beats the champion: {gain_in_words(lead.gain, lead.interval, alpha)}"
            for name, values in baselines.items()
            for lead in [gate.lead_of(values, outcomes, champion, alpha=alpha, minimum=minimum)]
            if lead is not None
        )
    passed = {name: d.interval[0] for name, d in decisions.items() if d.promote and d.interval}
    winner = max(passed, key=lambda name: passed[name]) if passed else None
    return Comparison(kind, opponent, decisions, winner, measured, warnings)


def report(
    comparison: Comparison,
    labels: pd.DataFrame,
    *,
    versions: Mapping[str, str],
    expected_losses: Mapping[str, dict[str, Any] | None],
    absent: Mapping[str, str],
) -> dict[str, Any]:
    """Report a comparison, as an entry of ``reports/comparison.json``.

    Parameters
    ----------
    labels
        client_id and known_on of the judged rows.
    versions
        Of the champion, if there is one, and of each challenger.
    expected_losses
        What the live predictions of each challenger are compared with if it is promoted.
    absent
        Why a candidate is not among the challengers, by its name.
    """
    known_on = labels["known_on"]
    return {
        "loss": LOSS_NAME[comparison.kind],
        "rows": len(labels),
        "clients": int(labels["client_id"].nunique()),
        "known_from": str(known_on.min().date()) if len(labels) else None,
        "known_through": str(known_on.max().date()) if len(labels) else None,
        "champion": versions.get(CHAMPION),
        "opponent": comparison.opponent,
        "candidates": {
            name: decision.to_dict()
            | {"version": versions[name], "expected_loss": expected_losses[name]}
            for name, decision in comparison.decisions.items()
        },
        "absent": dict(absent),
        "warnings": list(comparison.warnings),
        "winner": comparison.winner,
        "verdict": _verdict(comparison, absent),
    }


def _verdict(comparison: Comparison, absent: Mapping[str, str]) -> str:
    verdicts = {name: decision.explain() for name, decision in comparison.decisions.items()}
    if comparison.winner is not None:
        return f"{comparison.winner} {verdicts[comparison.winner]}"
    if not verdicts:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in absent.items())
        return f"kept: no candidate ({reasons})"
    return "; ".join(
        f"{name} not promoted: {verdict.removeprefix('kept: ')}"
        for name, verdict in verdicts.items()
    )


def _best(
    measured: dict[str, dict[str, float | None]], names: Iterable[str], loss: str
) -> str | None:
    """Return the name with the smallest loss; the first if no loss is known."""

    def rank(name: str) -> float:
        value = measured[name][loss]
        return inf if value is None else value

    return min(names, key=rank, default=None)
