"""What may be chosen for the simulated retailer; reading this imports no array library."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Day = Annotated[date, Field(strict=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Simulation(BaseModel):
    """The retailer to simulate; the defaults are one that every part of Evergreen can work with.

    Attributes
    ----------
    clients
        How many there are in all; further ones leave the earlier ones as they are.
    start, days
        The first day, and how many days are simulated; further ones leave the earlier as they are.
    seed
        The only source of randomness.
    newcomer_share, newcomer_days
        The share of clients who come after the opening month, and in how many days after it.
    season
        The swing of the yearly wave and of the week; 0 makes all days alike.
    notes_per_year
        How many notes are written about a client on average.
    note_signal
        The share of words in a note that tell of the client's state; the others are noise.
    drift_on, drift_size
        From which day on, and by how much, segments behave otherwise than before; None or a size
        of 0 is no drift.
    strategy_change_on
        The day from which on prices, assortment and clientele are others; None if they stay.
    late_share, max_late_days
        The share of purchases that become known late, and by how many days at most.
    undone_share
        The share of purchases that a later row takes back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    clients: Count = 3000
    start: Day = date(2017, 1, 1)
    days: Annotated[int, Field(ge=1, le=7320)] = 730
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    newcomer_share: Share = 0.4
    newcomer_days: Annotated[int, Field(ge=1, le=7320)] = 365
    season: Share = 0.3
    notes_per_year: Annotated[float, Field(ge=0, le=100)] = 6.0
    note_signal: Annotated[float, Field(ge=0, le=1)] = 0.3
    drift_on: Day | None = None
    drift_size: Annotated[float, Field(ge=0, le=3)] = 0.0
    strategy_change_on: Day | None = None
    late_share: Share = 0.0
    max_late_days: Annotated[int, Field(ge=1, le=60)] = 7
    undone_share: Share = 0.0

    @model_validator(mode="after")
    def _drift_has_a_day(self) -> Simulation:
        if self.drift_size > 0 and self.drift_on is None:
            raise ValueError(
                f"drift_size is {self.drift_size} and drift_on is missing, "
                "allowed: a size above 0 with a day"
            )
        return self
