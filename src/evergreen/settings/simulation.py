"""Settings of the simulated retailer; importing this loads no array library."""

from __future__ import annotations

from datetime import date

from pydantic import Field, model_validator

from evergreen.settings.base import Day, Section


class Simulation(Section):
    """The simulated retailer; see simulation.md. The defaults suit every part of Evergreen."""

    clients: int = Field(
        3000,
        ge=1,
        le=1_000_000,
        description="Number of clients; adding more does not change the first ones",
    )
    start: Day = Field(date(2017, 1, 1), description="First simulated day")
    days: int = Field(
        730,
        ge=1,
        le=7320,
        description="Number of simulated days; adding more does not change the first ones",
    )
    seed: int = Field(1, ge=0, lt=2**31, description="Seed of all random choices")
    newcomer_share: float = Field(
        0.4,
        ge=0,
        lt=1,
        description="Share of clients whose first purchase is after the first month",
    )
    newcomer_days: int = Field(
        365, ge=1, le=7320, description="Days after the first month over which these clients arrive"
    )
    season: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="Strength of the yearly and weekly rhythm; 0 makes all days alike",
    )
    notes_per_year: float = Field(6.0, ge=0, le=100, description="Mean number of notes per client")
    note_signal: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Share of the words of a note that depend on the client's state; the others "
        "are noise",
    )
    drift_on: Day | None = Field(
        None, description="Day on which the behaviour of client segments changes; null for never"
    )
    drift_size: float = Field(0.0, ge=0, le=3, description="Size of that change; 0 is none")
    strategy_change_on: Day | None = Field(
        None,
        description="Day on which the retailer changes prices, assortment and clientele; null for "
        "never",
    )
    late_share: float = Field(
        0.0, ge=0, lt=1, description="Share of purchases that become known late"
    )
    max_late_days: int = Field(7, ge=1, le=60, description="Longest such delay, in days")
    undone_share: float = Field(
        0.0, ge=0, lt=1, description="Share of purchases that a later row cancels"
    )

    @model_validator(mode="after")
    def _drift_has_a_day(self) -> Simulation:
        if self.drift_size > 0 and self.drift_on is None:
            raise ValueError(
                f"drift_size is {self.drift_size} and drift_on is missing; a drift needs a day"
            )
        return self
