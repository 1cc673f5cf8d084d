"""Policies whose predictions and decisions a test makes up."""

import numpy as np
import pandas as pd
import pytest

DAYS = pd.date_range("2024-04-01", periods=40, freq="D")


@pytest.fixture
def judged():
    """Outcomes of one target: a label, the truth, and policies that are off by so much."""

    def made(clients=400, seed=1, **off):
        random = np.random.default_rng(seed)
        n = clients * len(DAYS) // 4
        truth = random.beta(2, 3, n)
        rows = pd.DataFrame(
            {
                "client_id": [f"c{k}" for k in random.integers(0, clients, n)],
                "observed_on": random.choice(DAYS, n),
                "label": (random.random(n) < truth).astype(float),
            }
        )
        noise = random.normal(size=n)
        for policy, size in off.items():
            rows[policy] = 1 / (1 + np.exp(-(np.log(truth / (1 - truth)) + size * noise)))
        return rows.drop_duplicates(["client_id", "observed_on"]).reset_index(drop=True)

    return made
