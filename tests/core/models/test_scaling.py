import numpy as np
import pytest

from evergreen.core.models import scaling
from evergreen.core.models.scaling import FARTHEST, Scaling


@pytest.fixture(scope="module")
def matrix():
    """Normal, skewed, constant and empty columns, some values missing, as float32."""
    random = np.random.default_rng(3)
    columns = [random.normal(5, 2, 500), random.lognormal(0, 2, 500), np.full(500, 0.1)]
    columns[1][random.random(500) < 0.2] = np.nan
    return np.array([*columns, np.full(500, np.nan)], dtype=np.float32).T


def test_only_skewed_columns_are_logged_and_all_are_standardized(matrix):
    measured = Scaling.of(matrix)
    assert measured.logged.tolist() == [False, True, False, False]
    scaled = measured.apply(matrix)
    assert scaled.dtype == np.float64
    assert np.abs(scaled).max() <= FARTHEST
    np.testing.assert_allclose(scaled[:, :2].std(axis=0), 1, atol=0.05)
    assert not scaled[:, 2:].any()


def test_neither_blocks_nor_layout_nor_type_change_a_bit(matrix, monkeypatch):
    measured = Scaling.of(matrix)
    whole = measured.apply(matrix)
    assert Scaling.of(np.ascontiguousarray(matrix, np.float64)).as_lists() == measured.as_lists()
    alone = [measured.apply(row[np.newaxis].astype(np.float64)) for row in matrix]
    np.testing.assert_array_equal(np.concatenate(alone), whole)
    monkeypatch.setattr(scaling, "BLOCK", 7)
    np.testing.assert_array_equal(measured.apply(matrix), whole)
