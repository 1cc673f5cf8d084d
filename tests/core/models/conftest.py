"""Simulated clients, and estimators small enough to be fitted in no time."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from evergreen.core.models import registry

SMALL = {
    "lightgbm": {"rounds": 40, "learning_rate": 0.1, "min_child_samples": 20, "update_rounds": 5},
    "random_forest": {"trees": 30, "max_depth": 6, "update_trees": 5, "min_samples_leaf": 5},
    "linear": {"min_steps": 500, "learning_rate": 0.05},
}
SMALL["blend"] = {name: SMALL[name] for name in ("lightgbm", "linear")}


@pytest.fixture(scope="session")
def make():
    def build(name, kind, threads=1, **settings):
        chosen = SMALL.get(name, {}) | settings
        return registry.build(name, kind, chosen, seed=7, threads=threads)

    return build


@pytest.fixture(scope="session")
def simulate():
    """Clients who buy the more the more they bought, and the less the longer ago."""

    def clients(kind, rows=600, seed=0):
        random = np.random.default_rng(seed)
        X = pd.DataFrame(
            {
                "recency_days": random.exponential(30, rows),
                "frequency": random.poisson(5, rows).astype(float),
                "gap_mean_days": random.gamma(2, 10, rows),
                "noise": random.normal(size=rows),
            }
        )
        X.loc[random.random(rows) < 0.2, "gap_mean_days"] = np.nan
        score = 0.4 * X["frequency"] - 0.06 * X["recency_days"]
        buys = random.random(rows) < 1 / (1 + np.exp(-score))
        if kind == "binary":
            return X, buys.astype(float).to_numpy()
        return X, np.where(buys, np.exp(3 + 0.2 * X["frequency"] + random.normal(0, 0.7, rows)), 0)

    return clients


@pytest.fixture(scope="session")
def digests():
    """The SHA-256 of each file of an estimator."""

    def of(estimator):
        files = estimator.to_files().items()
        return {name: hashlib.sha256(content).hexdigest() for name, content in files}

    return of
