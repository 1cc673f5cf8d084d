import numpy as np
import pandas as pd
import pytest

from evergreen.core.evaluation import gate
from evergreen.core.evaluation.comparison import compare


def compared(champion, **baselines):
    """2,000 rows of 1,000 clients who buy as likely as `chance` says."""
    rng = np.random.default_rng(11)
    chance = np.repeat(rng.random(1000), 2)
    y = (rng.random(2000) < chance).astype(float)
    made = {"good": chance, "poor": 1 - chance, "even": np.full(2000, 0.5)}
    return compare(
        gate.Outcomes("binary", y, np.repeat(np.arange(1000), 2)),
        champion=None if champion is None else made[champion],
        challengers={},
        baselines={name: made[what] for name, what in baselines.items()},
        alphas={"incremental": 0.01, "full": 0.05},
        minimum=gate.Minimum(),
    )


def test_a_champion_that_a_baseline_beats_raises_a_warning_and_blocks_nothing():
    [warning] = compared("even", btyd="good", last_period="poor").warnings
    assert warning.startswith("btyd beats the champion: gain +")
    assert "99 % interval" in warning


def test_a_constant_that_beats_the_champion_is_told_as_well():
    [warning] = compared("poor", base_rate="even").warnings
    assert warning.startswith("base_rate beats the champion")


@pytest.mark.parametrize("champion", ["good", None])
def test_no_warning_without_a_champion_that_is_beaten(champion):
    assert compared(champion, btyd="poor", base_rate="even").warnings == ()


def test_a_warning_needs_the_evidence_of_a_promotion():
    rows = pd.Series(np.arange(20) % 2.0)
    found = compare(
        gate.Outcomes("binary", rows), champion=1 - rows.to_numpy(), challengers={},
        baselines={"base_rate": np.full(20, 0.5)}, alphas={"incremental": 0.01},
        minimum=gate.Minimum(),
    )  # fmt: skip
    assert found.warnings == ()
