"""What is replayed: the settings, the dates of the runs, and where the history ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from evergreen.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evergreen.settings.pipeline import Settings


@dataclass(frozen=True)
class Scenario:
    """What is replayed: the settings, the dates of the runs, and when the history ends."""

    settings: Settings
    dates: Sequence[date]
    through: date

    def following(self, as_of: date) -> date:
        """The date of the run after this one, or the day after the history."""
        later = [day for day in self.dates if day > as_of]
        return later[0] if later else self.through

    @staticmethod
    def at(settings: Settings, as_of: date, last_full: date) -> Settings:
        """The settings of a run, by its date and that of the last full retrain."""
        full = settings.full_retrain.model_copy(update={"as_of": last_full})
        return settings.model_copy(update={"as_of": as_of, "full_retrain": full, "hold": {}})


def scenario(
    settings: Settings,
    first: date,
    through: date,
    every: int,
    targets: Sequence[str] | None = None,
) -> Scenario:
    """A run every so many days, from the first date until before the history ends.

    Raises
    ------
    SettingsError
        If the dates leave no room for an outcome, or there is no target of a name.
    """
    unknown = [name for name in targets or () if name not in settings.targets]
    if unknown:
        raise SettingsError(
            f"there is no target {unknown[0]!r}, there are {', '.join(settings.targets)}",
            "evergreen replay --target ...",
        )
    chosen = {n: t for n, t in settings.targets.items() if n in (targets or settings.targets)}
    horizon = min(target.horizon_days for target in chosen.values())
    if (through - first).days <= horizon:
        raise SettingsError(
            f"--to {through} is {(through - first).days} days after --from {first}: no prediction "
            f"would have met its outcome, which takes {horizon} days",
            "a later --to, or an earlier --from",
        )
    dates = [first + timedelta(days=n) for n in range(0, (through - first).days, every)]
    return Scenario(settings.model_copy(update={"targets": chosen}), dates, through)
