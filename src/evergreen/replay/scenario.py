"""What to replay: the settings, the dates of the runs, and the end of the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from evergreen.errors import SettingsError
from evergreen.settings.pipeline import Settings


@dataclass(frozen=True)
class Scenario:
    """The settings, the dates of the runs, and the day after the last known one."""

    settings: Settings
    dates: Sequence[date]
    through: date

    def next_run(self, as_of: date) -> date:
        """Return the date of the run after this one, or the end of the history."""
        return next((day for day in self.dates if day > as_of), self.through)


def settings_on(settings: Settings, as_of: date, last_full: date) -> Settings:
    """Return the settings of a run on a date, given that of the last full retrain."""
    full = settings.full_retrain.model_copy(update={"as_of": last_full})
    return settings.model_copy(update={"as_of": as_of, "full_retrain": full, "hold": {}})


def make_scenario(
    settings: Settings,
    first: date,
    through: date,
    every_days: int,
    targets: Sequence[str] | None = None,
) -> Scenario:
    """Plan a run every `every_days` days, from the first date until the history ends.

    Raises
    ------
    SettingsError
        If no outcome would be known by the end, or a target does not exist.
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
            f"--to {through} is {(through - first).days} days after --from {first}, "
            f"but outcomes take {horizon} days: none would be known",
            "choose a later --to, or an earlier --from",
        )
    dates = [first + timedelta(days=n) for n in range(0, (through - first).days, every_days)]
    return Scenario(settings.model_copy(update={"targets": chosen}), dates, through)
