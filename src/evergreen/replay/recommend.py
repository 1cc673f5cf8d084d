"""What a replay recommends, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.replay.policies import POLICIES
from evergreen.replay.results import BASIS, LEVEL, gain

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from evergreen.settings.pipeline import Settings


def recommend(
    settings: Settings, summary: pd.DataFrame, found: Mapping[str, pd.DataFrame]
) -> list[str]:
    """Say whether continuous training pays on this history, and which policy to take.

    Of the policies with the gate that are proven better than never retraining in some target and
    proven worse in none, the one with the highest mean gain leads. The cheapest (in rows trained
    on) that is not proven worse than the leader, and is itself proven better than never, is
    recommended. Every proof allows for the number of comparisons made. A policy without the gate
    is not recommended, for nothing protects it from a bad day's data; where it is proven better,
    that is said.

    Parameters
    ----------
    summary, found
        As `evergreen.replay.results.summarise` and `outcomes` make them.
    """
    others = summary[summary["policy"] != BASIS]
    if others.empty:
        return ["There is nothing to compare: never was replayed alone."]
    by_policy = {str(name): lines for name, lines in others.groupby("policy", sort=False)}
    worse = [name for name, lines in by_policy.items() if lines["sure_high"].min() < 0]
    better = [name for name, lines in by_policy.items() if lines["sure_low"].max() > 0]
    lines = [_harmful(name, by_policy[name]) for name in worse]
    paying = [name for name in better if name not in worse]
    gated = [name for name in paying if POLICIES[name].decides == "gate"]
    if not others[["gain", "low", "high"]].to_numpy().any():
        untold = "no policy has replaced its first model before the outcomes that are known here"
        return [f"Too short to tell: {untold}. Replay more weeks."]
    if not paying:
        no_gain = (
            "On this history no policy is proven better than keeping the first model: a gain of at "
            f"most {others['sure_high'].max():.1%} can have been missed. Continuous training does "
            "not pay here so far; measure again when there is more history."
        )
        return [no_gain, *lines]
    mean = {name: float(by_policy[name]["gain"].mean()) for name in paying}
    bold = max(paying, key=lambda policy: mean[policy])
    if not gated:
        return [_only_without_gate(bold, by_policy[bold]), *lines]
    leader = max(gated, key=lambda policy: mean[policy])
    rows = {name: int(by_policy[name]["rows_trained"].iloc[0]) for name in gated}
    equal = [p for p in gated if p == leader or not _proven_worse(settings, found, p, leader)]
    chosen = min(equal, key=lambda policy: rows[policy])
    advice = [
        f"Continuous training pays here: {_gains(by_policy[chosen])}.",
        f"Recommended: {chosen} ({POLICIES[chosen].words}).",
    ]
    if chosen != leader:
        fewer = 1 - rows[chosen] / rows[leader]
        advice.append(
            f"{leader} has the highest mean gain, {mean[leader]:+.2%} against {mean[chosen]:+.2%}, "
            f"but is not proven better than {chosen}, which trains on {fewer:.0%} fewer rows."
        )
    if bold not in gated and _proven_worse(settings, found, chosen, bold):
        advice.append(
            f"{bold} ({POLICIES[bold].words}) is proven better still, {mean[bold]:+.2%} against "
            f"{mean[chosen]:+.2%}: here newer was better. It has no protection from a bad day's "
            "data; a larger gate.alpha_full gets part of that gain with it."
        )
    return advice + lines


def _only_without_gate(policy: str, summary: pd.DataFrame) -> str:
    return (
        f"Continuous training pays here, but only without the gate: {policy} "
        f"({POLICIES[policy].words}) brings {_gains(summary)}. The gate asks for more proof than "
        "these held-out clients give: more of them, a longer gate.window_days or a larger "
        "gate.alpha_full help."
    )


def _harmful(policy: str, summary: pd.DataFrame) -> str:
    targets = ", ".join(summary[summary["sure_high"] < 0]["target"])
    return f"{policy} is proven worse than never retraining in {targets}."


def _gains(summary: pd.DataFrame) -> str:
    proven = summary[summary["sure_low"] > 0]
    return ", ".join(
        f"{line.target} {line.gain:+.1%} in loss ({line.low:+.1%} to {line.high:+.1%})"
        for line in proven.itertuples()
    )


def _proven_worse(
    settings: Settings, found: Mapping[str, pd.DataFrame], policy: str, leader: str
) -> bool:
    for target, rows in found.items():
        kind = settings.targets[target].kind
        _, interval = gain(kind, rows, policy, leader, alpha=LEVEL / len(found))
        if interval is not None and interval[1] < 0:
            return True
    return False
