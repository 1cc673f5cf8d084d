import pandas as pd
import pytest

from evergreen.errors import DataError
from evergreen.store import matrices

DAY = pd.Timestamp("2024-01-08")


def keyed(*clients, **columns):
    return pd.DataFrame({"client_id": clients, "observed_on": DAY, **columns})


def test_features_follow_the_order_of_the_labels(tmp_path):
    chunks = [keyed("a", "b", x=[1.0, 2.0]), keyed("c", x=[3.0])]
    matrices.write_features(matrices.features_path(tmp_path, "digest"), chunks)
    features = matrices.features_of(keyed("c", "a", "c"), tmp_path, "digest", ["x"])
    assert features["x"].tolist() == [3, 1, 3]


def test_a_label_without_features_is_not_taken_for_an_unknown_client(tmp_path):
    path = matrices.features_path(tmp_path, "digest")
    matrices.write_features(path, [keyed("a", x=[1.0])])
    with pytest.raises(DataError, match="1 of 2 rows have no features"):
        matrices.features_of(keyed("a", "b"), tmp_path, "digest", ["x"])


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path):
    path = matrices.features_path(tmp_path, "digest")
    matrices.write_features(path, [keyed("a", recency=[1.0])])
    with pytest.raises(DataError, match=r"lacks 'recency_days' .*nearest: 'recency'"):
        matrices.read_features(tmp_path, "digest", ["recency_days"])
