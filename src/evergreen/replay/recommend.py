"""The advice of a replay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evergreen.replay.policies import POLICIES
from evergreen.replay.results import BASIS, LEVEL, gain_over
from evergreen.settings.pipeline import Settings

if TYPE_CHECKING:
    import pandas as pd


def recommend(
    settings: Settings, summary: pd.DataFrame, outcomes: Mapping[str, pd.DataFrame]
) -> list[str]:
    """Say whether continuous training pays on this history, and recommend a policy.

    Candidates are the policies with the gate that are proven better than never retraining on some
    target and proven worse on none; the one with the highest mean gain leads. Recommended is the
    cheapest of them (in rows trained on) that is not proven worse than the leader. Every proof
    allows for the number of comparisons made. A policy without the gate is never recommended, as
    nothing protects it from a bad day's data; if it is proven better, the advice mentions that.

    Parameters
    ----------
    summary, outcomes
        From `evergreen.replay.results.summarise` and `match_outcomes`.
    """
    others = summary[summary["policy"] != BASIS]
    if others.empty:
        return ["Nothing to compare: only the policy never was replayed."]
    by_policy = {str(name): lines for name, lines in others.groupby("policy", sort=False)}
    worse = [name for name, lines in by_policy.items() if lines["sure_high"].min() < 0]
    better = [name for name, lines in by_policy.items() if lines["sure_low"].max() > 0]
    harmful = [_harmful(name, by_policy[name]) for name in worse]
    paying = [name for name in better if name not in worse]
    gated = [name for name in paying if POLICIES[name].decides == "gate"]
    if not others[["gain", "low", "high"]].to_numpy().any():
        return [
            (
                "Too short to tell: no policy replaced its first model early enough for an outcome "
                "to be known. Replay more weeks."
            )
        ]
    if not paying:
        no_gain = (
            "Continuous training does not pay here so far: no policy is proven better than keeping "
            f"the first model. A gain of up to {others['sure_high'].max():.1%} may have gone "
            "unnoticed; replay again when there is more history."
        )
        return [no_gain, *harmful]
    mean = {name: float(by_policy[name]["gain"].mean()) for name in paying}
    best = max(paying, key=lambda policy: mean[policy])
    if not gated:
        return [_only_without_gate(best, by_policy[best]), *harmful]
    leader = max(gated, key=lambda policy: mean[policy])
    rows = {name: int(by_policy[name]["rows_trained"].iloc[0]) for name in gated}
    equal = [p for p in gated if p == leader or not _proven_worse(settings, outcomes, p, leader)]
    chosen = min(equal, key=lambda policy: rows[policy])
    advice = [
        f"Continuous training pays here. Gain over never: {_gains(by_policy[chosen])}.",
        f"Recommended: {chosen} ({POLICIES[chosen].description}).",
    ]
    if chosen != leader:
        fewer = 1 - rows[chosen] / rows[leader]
        advice.append(
            f"{leader} has the highest mean gain, {mean[leader]:+.2%} against {mean[chosen]:+.2%}, "
            f"but is not proven better than {chosen}, which trains on {fewer:.0%} fewer rows."
        )
    if best not in gated and _proven_worse(settings, outcomes, chosen, best):
        advice.append(
            f"{best} ({POLICIES[best].description}) is proven better still, {mean[best]:+.2%} "
            f"against {mean[chosen]:+.2%}: here newer models were better. But nothing protects it "
            "from a bad day's data; a larger gate.alpha_full captures part of that gain safely."
        )
    return advice + harmful


def _only_without_gate(policy: str, summary: pd.DataFrame) -> str:
    return (
        f"Continuous training pays here, but only without the gate. Gain of {policy} "
        f"({POLICIES[policy].description}) over never: {_gains(summary)}. The held-out clients are "
        "too few for the gate to prove it: hold out more of them, or raise gate.window_days or "
        "gate.alpha_full."
    )


def _harmful(policy: str, summary: pd.DataFrame) -> str:
    targets = ", ".join(summary[summary["sure_high"] < 0]["target"])
    return f"{policy} is proven worse than never retraining on {targets}."


def _gains(summary: pd.DataFrame) -> str:
    proven = summary[summary["sure_low"] > 0]
    return ", ".join(
        f"{line.target} {line.gain:+.1%} ({line.low:+.1%} to {line.high:+.1%})"
        for line in proven.itertuples()
    )


def _proven_worse(
    settings: Settings, outcomes: Mapping[str, pd.DataFrame], policy: str, leader: str
) -> bool:
    for target, rows in outcomes.items():
        kind = settings.targets[target].kind
        _, interval = gain_over(kind, rows, policy, leader, alpha=LEVEL / len(outcomes))
        if interval is not None and interval[1] < 0:
            return True
    return False
