import json
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from evergreen.core.events import transactions
from evergreen.errors import DataError
from evergreen.settings.loading import load_settings, with_simulation
from evergreen.settings.simulation import Simulation
from evergreen.simulation.files import write_simulation
from evergreen.store import tables

COMMITTED = Path(__file__).parents[2] / "params.yaml"
CHOSEN = {"clients": 150, "days": 60, "drift_on": date(2017, 2, 1), "drift_size": 0.5}
NAMES = ["notes.parquet", "simulation.json", "transactions.parquet", "truth.parquet"]


@pytest.fixture
def settings():
    return with_simulation(load_settings(COMMITTED), CHOSEN)


@pytest.fixture
def written(settings, tmp_path):
    lines = list(write_simulation(settings, tmp_path / "shop"))
    return tmp_path / "shop", lines


def test_the_same_settings_give_the_same_bytes(written, settings, tmp_path):
    list(write_simulation(settings, tmp_path / "again"))
    assert sorted(path.name for path in written[0].iterdir()) == NAMES
    for name in NAMES:
        assert (written[0] / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_tables_are_canonical(written):
    tables.check_schema(written[0] / "transactions.parquet", transactions.SCHEMA)
    tables.check_schema(written[0] / "notes.parquet", tables.NOTES)


def test_the_truth_has_a_column_for_each_target(written, settings):
    truth = pq.read_table(written[0] / "truth.parquet").to_pandas()
    assert list(truth) == ["client_id", "observed_on", *settings.targets]
    assert not truth.duplicated(["client_id", "observed_on"]).any()
    assert truth["purchase"].between(0, 1).all()
    assert np.corrcoef(truth["clv"], truth["churn"])[0, 1] < -0.5
    assert truth["observed_on"].max() == date(2017, 3, 1)


def test_the_settings_can_be_taken_up_again(written):
    again = Simulation(**json.loads((written[0] / "simulation.json").read_text()))
    assert again == Simulation(**CHOSEN)


def test_the_account_names_what_happens_and_what_comes_next(written):
    words = "\n".join(written[1])
    assert "2017-02-01: a drift of size 0.5" in words
    assert "source.demo: simulated in params.yaml" in words


def test_a_folder_that_exists_is_left_alone(written, settings):
    with pytest.raises(DataError, match="already exists, expected a new folder"):
        list(write_simulation(settings, written[0]))
