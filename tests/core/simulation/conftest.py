from functools import cache

import pytest

from evergreen.core.simulation.retailer import simulate
from evergreen.core.simulation.settings import Simulation


@pytest.fixture(scope="session")
def retailer():
    """Simulate by settings given by name; the same ones once."""
    return cache(lambda **chosen: simulate(Simulation(**{"clients": 400, "days": 200} | chosen)))
