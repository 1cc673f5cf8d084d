"""The names of the compared models, in the order in which they are always shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

CHAMPION: Final = "champion"
INCREMENTAL: Final = "incremental"
FULL: Final = "full"
CANDIDATES: Final = (INCREMENTAL, FULL)
BTYD: Final = "btyd"
LAST_PERIOD: Final = "last_period"
BASE_RATE: Final = "base_rate"
BASELINES: Final = (BTYD, LAST_PERIOD, BASE_RATE)
WITHOUT_A_MODEL: Final = (LAST_PERIOD, BASE_RATE)
"""Baselines that need no model; a first release has to beat them."""
MODEL_ORDER: Final = (CHAMPION, *CANDIDATES, *BASELINES)


def in_model_order(names: Iterable[str]) -> list[str]:
    """Sort names of models: those of `MODEL_ORDER` first, then others by name."""
    place = {name: number for number, name in enumerate(MODEL_ORDER)}
    return sorted(names, key=lambda name: (place.get(name, len(place)), name))
