from functools import cache

import pytest

from evergreen.settings.simulation import Simulation
from evergreen.simulation.retailer import simulate


@pytest.fixture(scope="session")
def retailer():
    """Simulate by settings given by name; the same ones once."""
    return cache(lambda **chosen: simulate(Simulation(**{"clients": 400, "days": 200} | chosen)))
