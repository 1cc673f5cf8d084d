"""Retraining policies: when to train, and how to decide on promotions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from evergreen.core.evaluation.model_names import FULL, INCREMENTAL
from evergreen.errors import SettingsError
from evergreen.history.retraining_plan import plan_retraining
from evergreen.settings.loading import parse_settings
from evergreen.settings.names import Mode
from evergreen.settings.pipeline import Settings

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.stages.compare import Judged
    from evergreen.store.models import Model

Trains = Literal["nothing", "incremental", "full", "both"]
Decides = Literal["gate", "higher", "newest"]

RECOMMENDED = ("incremental", "gate", "drift", "schedule")
"""Sections for which a policy has the defaults, whatever ``params.yaml`` says."""


@dataclass(frozen=True)
class Policy:
    """When to train, and how to decide on promotions.

    Attributes
    ----------
    trains
        ``nothing`` after a first model; ``incremental`` updates, ``full`` retrains, or ``both``.
    decides
        ``gate``: what is proven better; ``higher``: what has the higher accuracy (R2 for amounts)
        on the held-out rows; ``newest``: what was trained last.
    recommended
        Whether to use the default settings instead of those in ``params.yaml``.
    """

    name: str
    description: str
    trains: Trains
    decides: Decides = "gate"
    recommended: bool = True

    def settings(self, settings: Settings) -> Settings:
        """Return the settings of this policy."""
        if not self.recommended:
            return settings
        defaults = settings.model_dump() | {section: {} for section in RECOMMENDED}
        return parse_settings(defaults, source=f"policy {self.name}")

    def plan(
        self,
        settings: Settings,
        as_of: date,
        bases: dict[str, Model],
        labels: pd.DataFrame,
        *,
        alert: str | None = None,
    ) -> tuple[Mode, date]:
        """Return the mode of a run on a date, and the date of its last full retrain.

        Parameters
        ----------
        settings
            Those of the previous run: `full_retrain.as_of` is the last full retrain.
        bases, labels, alert
            As for `evergreen.history.retraining_plan.plan_retraining`.
        """
        plan = plan_retraining(settings, as_of, "auto", bases, labels, alert=alert)
        full_as_of = plan.last_full(settings, as_of)
        if len(bases) < len(settings.targets):  # every policy needs a first model
            return ("auto" if self.trains in ("both", "incremental") else "compare"), full_as_of
        if self.trains in ("nothing", "incremental"):
            full_as_of = settings.full_retrain.as_of
        return ("compare" if self.trains in ("nothing", "full") else "auto"), full_as_of

    def choose(self, target: str, judged: Judged) -> str | None:
        """Return the candidate that this policy promotes; None to keep the champion."""
        report, metrics = judged.report[target], judged.metrics[target]
        candidates = [kind for kind in (FULL, INCREMENTAL) if kind in report["candidates"]]
        if self.trains == "nothing" and report["champion"] is not None:
            return None
        if self.decides == "gate" or not candidates:
            winner: str | None = report["winner"]
            return winner
        if self.decides == "newest":
            return candidates[0]
        metric = "accuracy" if "accuracy" in metrics[candidates[0]] else "r2"

        def score(model: str) -> float:
            value = metrics[model][metric] if model in metrics else None
            return float("-inf") if value is None else value

        best = max(candidates, key=score)
        return best if score(best) > score(report["opponent"] or "") else None


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("never", "a first model, never retrained", "nothing"),
        Policy("incremental", "incremental updates only, decided by the gate", "incremental"),
        Policy("weekly", "weekly full retrains only, decided by the gate", "full"),
        Policy("default", "incremental updates and weekly full retrains, by the gate", "both"),
        Policy("higher", "like default, but promotes any higher accuracy", "both", "higher"),
        Policy("always", "like default, but promotes whatever is newest", "both", "newest"),
        Policy("yours", "the settings in params.yaml", "both", recommended=False),
    )
}


def policies_named(names: Iterable[str]) -> list[Policy]:
    """Return the policies with these names, and ``never``, which the others are compared with.

    Raises
    ------
    SettingsError
        If a policy does not exist.
    """
    wanted = set(names) | {"never"}
    unknown = sorted(wanted - POLICIES.keys())
    if unknown:
        raise SettingsError(
            f"there is no policy {unknown[0]!r}, there are {', '.join(POLICIES)}",
            "evergreen replay --help",
        )
    return [policy for name, policy in POLICIES.items() if name in wanted]
